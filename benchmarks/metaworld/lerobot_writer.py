"""Writes a LeRobot data set, v3.0: images as PNG in the tables."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

#: Rows of one table file, about.
ROWS = 4000
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def png(image: np.ndarray) -> bytes:
    """A PNG of an image, uint8 `[height, width, 3]`."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=4)
    return buffer.getvalue()


class Column:
    """Running sums of a column, from which its statistics come."""

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []

    def add(self, value) -> None:
        self.values.append(np.asarray(value, dtype=np.float64).reshape(-1))

    def statistics(self) -> dict[str, list]:
        """LeRobot's statistics of the column."""
        all_values = np.stack(self.values)
        return {
            "min": all_values.min(0).tolist(),
            "max": all_values.max(0).tolist(),
            "mean": all_values.mean(0).tolist(),
            "std": all_values.std(0).tolist(),
            "count": [len(all_values)],
        }


class Writer:
    """Frames of one episode after another; `close` completes the data set."""

    def __init__(self, root: Path, fps: int, cameras: dict[str, int], state, action):
        """`cameras`: column to width and height in pixels; `state`, `action`: names."""
        self.root = Path(root)
        if self.root.exists():
            raise FileExistsError(f"{self.root} exists; a data set is not written over another")
        (self.root / "data/chunk-000").mkdir(parents=True)
        (self.root / "meta/episodes/chunk-000").mkdir(parents=True)
        self.fps = fps
        self.cameras = cameras
        self.state, self.action = list(state), list(action)
        self.tasks: list[str] = []
        self.episodes: list[dict] = []
        self.frames = 0
        self.files = 0
        self.rows: list[dict] = []
        columns = ("observation.state", "action", *BOOKKEEPING)
        self.columns = {name: Column() for name in columns}
        self.pixels = {name: Column() for name in cameras}

    def add_episode(self, text: str, frames: list[dict]) -> None:
        """An episode: frames of `state`, `action` and `images` (column to uint8 image)."""
        if text not in self.tasks:
            self.tasks.append(text)
        if len(self.rows) + len(frames) > ROWS:
            self._flush()
        number, first = len(self.episodes), self.frames
        for index, frame in enumerate(frames):
            row = {
                "observation.state": np.asarray(frame["state"], np.float32),
                "action": np.asarray(frame["action"], np.float32),
                "timestamp": index / self.fps,
                "frame_index": index,
                "episode_index": number,
                "index": first + index,
                "task_index": self.tasks.index(text),
            }
            for name, column in self.columns.items():
                column.add(row[name])
            for name, size in self.cameras.items():
                image = frame["images"][name]
                if image.shape != (size, size, 3) or image.dtype != np.uint8:
                    raise ValueError(f"{name}: {image.dtype} {image.shape}")
                self.pixels[name].add(image.reshape(-1, 3)[::16].mean(0) / 255.0)
                path = f"frame_{index:06}.png"
                row[name] = {"bytes": png(image), "path": path}
            self.rows.append(row)
        self.frames += len(frames)
        self.episodes.append(
            {
                "episode_index": number,
                "tasks": [text],
                "length": len(frames),
                "data/chunk_index": 0,
                "data/file_index": self.files,
                "dataset_from_index": first,
                "dataset_to_index": self.frames,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )

    def _schema(self) -> pa.Schema:
        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields = [(name, image) for name in self.cameras]
        fields.append(("observation.state", pa.list_(pa.float32(), len(self.state))))
        fields.append(("action", pa.list_(pa.float32(), len(self.action))))
        fields.append(("timestamp", pa.float32()))
        fields.extend((name, pa.int64()) for name in BOOKKEEPING[1:])
        kinds = {name: {"_type": "Image"} for name in self.cameras}
        for name, dims in (("observation.state", self.state), ("action", self.action)):
            number = {"dtype": "float32", "_type": "Value"}
            kinds[name] = {"feature": number, "length": len(dims), "_type": "Sequence"}
        kinds["timestamp"] = {"dtype": "float32", "_type": "Value"}
        for name in BOOKKEEPING[1:]:
            kinds[name] = {"dtype": "int64", "_type": "Value"}
        # Without this entry the `datasets` library does not decode the images.
        metadata = {"huggingface": json.dumps({"info": {"features": kinds}})}
        return pa.schema(fields, metadata=metadata)

    def _flush(self) -> None:
        if not self.rows:
            return
        path = self.root / f"data/chunk-000/file-{self.files:03}.parquet"
        pq.write_table(pa.Table.from_pylist(self.rows, schema=self._schema()), path)
        self.files += 1
        self.rows = []

    def _features(self) -> dict:
        features: dict = {}
        for name, size in self.cameras.items():
            names = ["height", "width", "channels"]
            features[name] = {"dtype": "image", "shape": [size, size, 3], "names": names}
        for name, dims in (("observation.state", self.state), ("action", self.action)):
            features[name] = {"dtype": "float32", "shape": [len(dims)], "names": dims}
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        for name in BOOKKEEPING[1:]:
            features[name] = {"dtype": "int64", "shape": [1], "names": None}
        return features

    def close(self) -> None:
        """Writes what waits, and the description."""
        self._flush()
        meta = self.root / "meta"
        episodes = pa.Table.from_pylist(self.episodes)
        pq.write_table(episodes, meta / "episodes/chunk-000/file-000.parquet")
        tasks = pa.table({"task_index": range(len(self.tasks)), "task": self.tasks})
        pq.write_table(tasks, meta / "tasks.parquet")
        statistics = {name: column.statistics() for name, column in self.columns.items()}
        for name, column in self.pixels.items():
            of_camera = column.statistics()
            shaped = {key: [[[v]] for v in of_camera[key]] for key in of_camera if key != "count"}
            statistics[name] = {**shaped, "count": of_camera["count"]}
        (meta / "stats.json").write_text(json.dumps(statistics, indent=1))
        info = {
            "codebase_version": "v3.0",
            "robot_type": "metaworld",
            "total_episodes": len(self.episodes),
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self.fps,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": None,
            "features": self._features(),
        }
        (meta / "info.json").write_text(json.dumps(info, indent=1))
