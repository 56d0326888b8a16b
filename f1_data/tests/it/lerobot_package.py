"""Reads a data set that f1_data wrote and writes others for it to read, with the package lerobot.

usage: lerobot_package.py read FOLDER | write FOLDER (images|videos)
"""

import inspect
import json
import sys

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def image(seed):
    y, x = np.mgrid[0:48, 0:64]
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 40 + 10 * seed
    image[..., 1] = x * 3
    image[..., 2] = y * 4
    return image


def read(folder):
    dataset = LeRobotDataset("f1/ours", root=folder)
    out = {"frames": len(dataset), "episodes": dataset.num_episodes, "fps": dataset.fps, "rows": []}
    for index in range(len(dataset)):
        item = dataset[index]
        row = {
            "state": item["observation.state"].tolist(),
            "action": item["action"].tolist(),
            "timestamp": float(item["timestamp"]),
            "episode": int(item["episode_index"]),
            "task": item["task"],
        }
        for key in dataset.meta.camera_keys:
            image = item[key]
            row[key] = [list(image.shape), float(image.mean()), float(image[0, 5, 7])]
        out["rows"].append(row)
    stats = dataset.meta.stats["observation.state"]
    out["mean"] = np.asarray(stats["mean"]).tolist()
    print(json.dumps(out))


def write(folder, kind):
    dtype = "video" if kind == "videos" else "image"
    features = {
        "observation.images.front": {
            "dtype": dtype,
            "shape": (48, 64, 3),
            "names": ["height", "width", "channels"],
        },
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
    }
    dataset = LeRobotDataset.create(
        "f1/theirs", fps=10, features=features, root=folder, use_videos=kind == "videos"
    )
    # The instruction is an argument of its own before version 0.4.
    apart = "task" in inspect.signature(dataset.add_frame).parameters
    for episode in range(2):
        for frame in range(6 + episode):
            seed = episode * 8 + frame
            row = {
                "observation.images.front": image(seed),
                "observation.state": np.array([seed, seed * 0.5, 1], np.float32),
                "action": np.array([seed * 2, -seed], np.float32),
            }
            task = f"task {episode}"
            if apart:
                dataset.add_frame(row, task)
            else:
                dataset.add_frame({**row, "task": task})
        dataset.save_episode()
    if hasattr(dataset, "finalize"):
        dataset.finalize()


if sys.argv[1] == "read":
    read(sys.argv[2])
else:
    write(sys.argv[2], sys.argv[3])
