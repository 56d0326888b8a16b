#!/usr/bin/env python3
"""Tables of scripts/gpu_run.sh.

gpu_table.py part NAME STATE SECONDS LOG   a part as a line of JSON, with its log's RESULT lines
gpu_table.py table PARTS SUMMARY           the table of all parts, and the same as JSON in SUMMARY;
                                           fails if a part failed
gpu_table.py run METRICS                   time and loss of a training run, as JSON
gpu_table.py kernels CSV                   the five kernels that ncu found to take the longest
"""

import collections
import csv
import json
import sys


def part(name, state, seconds, log):
    results = {}
    try:
        with open(log, errors="replace") as lines:
            for line in lines:
                if line.startswith("RESULT "):
                    results.update(json.loads(line.removeprefix("RESULT ")))
    except FileNotFoundError:
        pass
    entry = {"part": name, "state": state, "seconds": int(seconds), "results": results}
    print(json.dumps(entry))


def numbers(value, at=""):
    """The numbers of a result that a person wants to see, by their path."""
    shown = ("total.wall_ms", "total.wall_min_ms", "median_ms", "seconds_per_update", "loss")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if at.endswith(shown) or at.endswith("device_memory_mb"):
            yield at, value


def table(parts, summary):
    with open(parts) as lines:
        entries = [json.loads(line) for line in lines]
    with open(summary, "w") as file:
        json.dump({"parts": entries}, file, indent=1)
    print(f"\n{'part':<10} {'s':>5}  state")
    for entry in entries:
        print(f"{entry['part']:<10} {entry['seconds']:>5}  {entry['state']}")
        for at, value in list(numbers(entry["results"]))[:12]:
            print(f"{'':<18}{at} {value:.4g}")
    print(f"\n{summary}")
    bad = [e["part"] for e in entries if e["state"].startswith(("failed", "ended", "stopped"))]
    return 1 if bad else 0


def run(metrics):
    with open(metrics) as file:
        rows = list(csv.DictReader(file))
    # The first line holds what is done once.
    times = sorted(float(row["seconds_per_update"]) for row in (rows[1:] or rows))
    print(
        json.dumps(
            {
                "updates": int(rows[-1]["step"]),
                "seconds_per_update": times[len(times) // 2],
                "first_loss": float(rows[0]["loss"]),
                "last_loss": float(rows[-1]["loss"]),
            }
        )
    )


def kernels(path):
    with open(path, errors="replace") as file:
        lines = [line for line in file if line.startswith('"')]
    total, count = collections.Counter(), collections.Counter()
    for row in csv.DictReader(lines):
        if row["Metric Name"] != "gpu__time_duration.sum":
            continue
        unit = {"ns": 1e-3, "us": 1.0, "usecond": 1.0, "nsecond": 1e-3, "ms": 1e3}
        scale = unit.get(row["Metric Unit"], 1e-3)
        total[row["Kernel Name"]] += float(row["Metric Value"].replace(",", "")) * scale
        count[row["Kernel Name"]] += 1
    longest = [
        {"kernel": name[:80], "microseconds": round(time, 1), "launches": count[name]}
        for name, time in total.most_common(5)
    ]
    print("RESULT " + json.dumps({"longest": longest}))


def main():
    commands = {"part": part, "table": table, "run": run, "kernels": kernels}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    main()
