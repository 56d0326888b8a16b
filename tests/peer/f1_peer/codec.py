"""Encodes and decodes for another program: one JSON object a line in, one out.

{"type": "std_msgs/msg/String", "cdr": "0001...", "value": {...}}
    -> {"cdr": "...", "equal": true}      decoded, compared with value, encoded again
{"type": "std_msgs/msg/String"}
    -> {"cdr": "..."}                     the type's default
"""

import json
import sys
from typing import Any

from .types import Types


def answer(types: Types, request: dict) -> dict:
    name = request["type"]
    if "cdr" not in request:
        return {"cdr": types.encode(name).hex()}
    value = types.decode(name, bytes.fromhex(request["cdr"]))
    result: dict[str, Any] = {"cdr": types.encode(name, value).hex()}
    if "value" in request:
        result["equal"] = value == request["value"]
        if not result["equal"]:
            result["value"] = repr(value)
    return result


def main() -> None:
    types = Types()
    for line in sys.stdin:
        try:
            result = answer(types, json.loads(line))
        except Exception as error:  # the other program decides what it means
            result = {"error": repr(error)}
        print(json.dumps(result), flush=True)
