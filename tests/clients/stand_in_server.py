"""A server of openpi's protocol with another policy's answers: every joint swings a little.

It shares no code with f1_serve: openpi-client's own packing, and the library that openpi's server
stands on. The first line on stdout is the port; each request adds a line with its keys.
"""

import json
import math

import numpy as np
from openpi_client import msgpack_numpy
from websockets.sync.server import serve

ROWS, JOINTS = 10, 8
KEYS = {"observation/front", "observation/wrist", "observation/state", "prompt"}


def chunk(state):
    """Joint deltas that lead back when the first joint has gone far enough."""
    direction = -1.0 if state[0] > 0.2 else 1.0
    deltas = np.zeros((ROWS, JOINTS), dtype=np.float64)
    for row in range(ROWS):
        deltas[row, 0] = direction * 0.02 * math.sin(math.pi * (row + 1) / (ROWS + 1))
    return deltas


def handle(connection):
    packer = msgpack_numpy.Packer()
    connection.send(packer.pack({"policy": "a stand-in"}))
    for message in connection:
        observation = msgpack_numpy.unpackb(message)
        assert set(observation) == KEYS, observation.keys()
        front, state = observation["observation/front"], observation["observation/state"]
        assert front.dtype == np.uint8 and front.ndim == 3 and front.shape[2] == 3, front.shape
        assert state.dtype == np.float32 and state.shape == (JOINTS,), state.shape
        connection.send(packer.pack({"actions": chunk(state), "server_timing": {"infer_ms": 3.0}}))
        print(json.dumps({"prompt": observation["prompt"]}), flush=True)


def main():
    with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
