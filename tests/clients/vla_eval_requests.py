"""Plays steps of two episodes with vla-eval's own connection and prints what came as JSON."""

import asyncio
import json
import sys

import numpy as np
from openpi_requests import image
from vla_eval.connection import Connection


def observation(number):
    return {
        "images": {"front": image(number, 0), "wrist": image(number, 1)},
        "state": np.arange(8, dtype=np.float32) * 0.05 + 0.01 * number,
        "task_description": "pick up the red cube",
        "seed": 7,
    }


async def play(url):
    connection = Connection(url, timeout=120.0)
    await connection.connect(benchmark="bench")
    answers = []
    for _ in range(2):
        await connection.start_episode({"task": {"name": "pick"}})
        for number in range(10):
            action = await connection.act(observation(number))
            assert action["actions"].shape == (8,) and action["actions"].dtype == np.float32
            answers.append(action["actions"].tolist())
        await connection.end_episode({"success": True})
    # An error keeps the connection.
    try:
        await connection.act({"images": {}, "task_description": "x"})
        fault = ""
    except RuntimeError as error:
        fault = str(error)
    await connection.start_episode({"task": {"name": "pick"}})
    again = (await connection.act(observation(0)))["actions"].tolist()
    info = connection.server_info
    await connection.close()
    return {"hello": info, "actions": answers, "fault": fault, "again": again}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1]))))
