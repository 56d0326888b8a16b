"""Sends observations of the bench to a server with openpi-client and prints what came as JSON.

Images and states are functions of the request's number that the test repeats in Rust.
"""

import json
import sys

import numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy


def image(number, camera):
    rows, columns = np.mgrid[0:64, 0:64]
    planes = [rows * 3 + number * 5, columns * 2 + camera * 40, rows + columns + number]
    return np.stack([plane % 256 for plane in planes], axis=2).astype(np.uint8)


def observation(number):
    return {
        "observation/front": image(number, 0),
        "observation/wrist": image(number, 1),
        "observation/state": np.arange(8, dtype=np.float32) * 0.05 + 0.01 * number,
        "prompt": "pick up the red cube",
        "seed": 7,
    }


def main():
    url, key = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
    policy = WebsocketClientPolicy(url, api_key=key)
    answers = []
    for number in range(3):
        asked = observation(number)
        asked["foresight"] = number == 2
        answer = policy.infer(asked)
        actions = answer["actions"]
        assert actions.dtype == np.float32 and actions.shape == (8, 8), actions.shape
        assert answer["policy_timing"]["infer_ms"] > 0
        assert ("prev_total_ms" in answer["server_timing"]) == (number > 0)
        assert ("foresight/image" in answer) == (number == 2)
        answers.append(actions.tolist())
    foreseen = answer["foresight/image"]
    assert foreseen.dtype == np.uint8 and foreseen.ndim == 3 and foreseen.shape[2] == 3

    # A request that does not fit is answered with every fault, in a text frame.
    wrong = observation(0)
    del wrong["observation/wrist"]
    wrong["observation/state"] = np.zeros(7, dtype=np.float32)
    try:
        policy.infer(wrong)
        fault = ""
    except RuntimeError as error:
        fault = str(error)
    print(
        json.dumps(
            {"metadata": policy.get_server_metadata(), "actions": answers, "fault": fault}
        )
    )


if __name__ == "__main__":
    main()
