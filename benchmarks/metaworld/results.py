"""Success by task with its interval, and the table of several policies.

    results.py out/f1.json out/without_foresight.json out/expert.json
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from tasks import MOVING, TASKS


def wilson(successes: int, episodes: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default."""
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"{successes} of {episodes}")
    share = successes / episodes
    scale = 1 + z * z / episodes
    middle = (share + z * z / (2 * episodes)) / scale
    spread = share * (1 - share) / episodes + z * z / (4 * episodes**2)
    half = z * math.sqrt(spread) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def summary(successes: dict[str, list[bool]]) -> dict:
    """Numbers by task, and over the counted tasks where all of them were played."""
    out: dict = {"tasks": {}}
    for label, episodes in successes.items():
        low, high = wilson(sum(episodes), len(episodes))
        out["tasks"][label] = {
            "successes": sum(episodes),
            "episodes": len(episodes),
            "share": sum(episodes) / len(episodes),
            "low": low,
            "high": high,
        }
    counted = [task.label for task in TASKS if task.counted]
    if all(label in successes for label in counted):
        together = [episode for label in counted for episode in successes[label]]
        low, high = wilson(sum(together), len(together))
        out["counted"] = {
            "successes": sum(together),
            "episodes": len(together),
            "share": sum(together) / len(together),
            "low": low,
            "high": high,
        }
    return out


def cell(entry: dict | None) -> str:
    """`47 of 50 (0.84 to 0.98)`."""
    if entry is None:
        return ""
    interval = f"({entry['low']:.2f} to {entry['high']:.2f})"
    return f"{entry['successes']} of {entry['episodes']} {interval}"


def table(columns: dict[str, dict]) -> str:
    """A table in Markdown: a line a task, a column a policy."""
    lines = [f"| task | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    played = [
        task.label
        for task in (*TASKS, *MOVING)
        if any(task.label in column["tasks"] for column in columns.values())
    ]
    for label in played:
        cells = [cell(column["tasks"].get(label)) for column in columns.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    if any("counted" in column for column in columns.values()):
        cells = [cell(column.get("counted")) for column in columns.values()]
        lines.append(f"| the first eight | {' | '.join(cells)} |")
    timed = [column.get("milliseconds", {}).get("median") for column in columns.values()]
    if any(timed):
        cells = [f"{time:.1f}" if time else "" for time in timed]
        lines.append(f"| ms a chunk, median | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path, help="what evaluate.py --json wrote")
    arguments = parser.parse_args()
    print(table({path.stem: json.loads(path.read_text()) for path in arguments.results}))


if __name__ == "__main__":
    main()
