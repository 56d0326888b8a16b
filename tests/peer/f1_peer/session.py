"""A node driven by another program: one JSON object a line in, JSON objects out.

Every request has an `op`, and an `id` that its reply repeats as `reply`. What happens without a
request is reported as objects with an `event`. Messages are given as `cdr` (hexadecimal, header
included) or `value` (a dictionary).

    publisher   name topic type qos
    publish     name cdr|value
    stream      name cdr|value rate count mark   at `rate` Hz; the header's stamp becomes the time
                                                 of sending; `mark` is [offset, length]: these bytes
                                                 become the stamp's milliseconds modulo 251
    subscribe   name topic type qos mode         `each`: an event `message`; `count`: only counted
    stats       name                             received, latencies in seconds from the header's
                                                 stamp, distinct stamps
    service     name service type response       always the same answer; event `request`
    call        service type request timeout     reply: response
    action_server name action type feedback period result status
                                                 feedback: a list, one each period
    send_goal   action type goal timeout cancel_after
                                                 events `accepted`, `feedback`; reply: status and
                                                 result
    matched     name count timeout               waits until so many endpoints are matched
    quit

qos: {"reliable": true, "transient_local": false, "depth": 10}; depth 0 keeps all.
"""

import json
import sys
import threading
import time
import uuid
from typing import Any, Dict

from .node import ABORTED, CANCELED, SUCCEEDED, Goal, Node, Qos
from .types import Types


class Session:
    """The node, its endpoints by name, and the way out."""

    def __init__(self, domain: int):
        self.types = Types()
        self.node = Node(self.types, domain)
        self.endpoints: Dict[str, Any] = {}
        self.counts: Dict[str, Dict[str, Any]] = {}
        self._out = threading.Lock()

    def tell(self, message: Dict[str, Any]) -> None:
        with self._out:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def cdr(self, name: str, request: Dict[str, Any]) -> bytes:
        if "cdr" in request:
            return bytes.fromhex(request["cdr"])
        return self.types.encode(name, request.get("value"))

    def serve(self) -> None:
        """Until `quit` or the end of the input."""
        self.tell({"event": "ready"})
        for line in sys.stdin:
            request = json.loads(line)
            if request["op"] == "quit":
                break
            # Calls wait; others must not wait for them.
            if request["op"] in ("call", "send_goal", "matched", "stream"):
                threading.Thread(target=self._answer, args=(request,), daemon=True).start()
            else:
                self._answer(request)
        self.node.close()

    def _answer(self, request: Dict[str, Any]) -> None:
        try:
            reply = getattr(self, f"op_{request['op']}")(request) or {}
        except Exception as error:  # reported to the other program, which decides
            reply = {"error": repr(error)}
        self.tell({"reply": request.get("id"), **reply})

    def op_publisher(self, r: Dict[str, Any]) -> None:
        publisher = self.node.publisher(r["topic"], r["type"], Qos(**r.get("qos", {})))
        publisher.type = r["type"]
        self.endpoints[r["name"]] = publisher

    def op_publish(self, r: Dict[str, Any]) -> None:
        publisher = self.endpoints[r["name"]]
        publisher.publish_cdr(self.cdr(publisher.type, r))

    def op_stream(self, r: Dict[str, Any]) -> Dict[str, Any]:
        publisher = self.endpoints[r["name"]]
        data = bytearray(self.cdr(publisher.type, r))
        offset, length = r.get("mark", [0, 0])
        start = time.monotonic()
        for index in range(r["count"]):
            wait = start + index / r["rate"] - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            nanoseconds = time.time_ns()
            data[4:8] = (nanoseconds // 1_000_000_000).to_bytes(4, "little")
            data[8:12] = (nanoseconds % 1_000_000_000).to_bytes(4, "little")
            if length:
                data[offset : offset + length] = bytes([nanoseconds // 1_000_000 % 251]) * length
            publisher.publish_cdr(bytes(data))
        return {"seconds": time.monotonic() - start}

    def op_subscribe(self, r: Dict[str, Any]) -> None:
        name = r["name"]
        count = self.counts[name] = {"received": 0, "latencies": [], "stamps": set()}
        each = r.get("mode", "each") == "each"

        def arrived(data: bytes) -> None:
            count["received"] += 1
            if each:
                self.tell({"event": "message", "name": name, "cdr": data.hex()})
            elif len(data) >= 12:
                stamp = int.from_bytes(data[4:8], "little", signed=True) * 1_000_000_000
                stamp += int.from_bytes(data[8:12], "little")
                count["latencies"].append((time.time_ns() - stamp) * 1e-9)
                count["stamps"].add(stamp)

        self.endpoints[name] = self.node.subscribe_cdr(
            r["topic"], r["type"], arrived, Qos(**r.get("qos", {}))
        )

    def op_stats(self, r: Dict[str, Any]) -> Dict[str, Any]:
        count = self.counts[r["name"]]
        return {
            "received": count["received"],
            "distinct": len(count["stamps"]),
            "latencies": sorted(count["latencies"]),
        }

    def op_service(self, r: Dict[str, Any]) -> None:
        def handle(request: Dict[str, Any], to: Any) -> None:
            self.tell({"event": "request", "name": r["name"], "value": request})
            service.reply(to, r.get("response", {}))

        service = self.node.service(r["service"], r["type"], handle)
        self.endpoints[r["name"]] = service.subscription

    def op_call(self, r: Dict[str, Any]) -> Dict[str, Any]:
        key = f"{r['service']} {r['type']}"
        if key not in self.endpoints:
            self.endpoints[key] = self.node.client(r["service"], r["type"])
        response = self.endpoints[key].call(r.get("request", {}), r.get("timeout", 5.0))
        return {"response": response}

    def op_action_server(self, r: Dict[str, Any]) -> None:
        def execute(goal: Goal) -> Any:
            self.tell({"event": "goal", "name": r["name"], "value": goal.request})
            for feedback in r.get("feedback", []):
                goal.feedback(feedback)
                if goal.canceled.wait(r.get("period", 0.1)):
                    return CANCELED, r.get("result", {})
            return (SUCCEEDED if r.get("status", "succeeded") == "succeeded" else ABORTED), r.get(
                "result", {}
            )

        self.endpoints[r["name"]] = self.node.action_server(r["action"], r["type"], execute)

    def op_send_goal(self, r: Dict[str, Any]) -> Dict[str, Any]:
        timeout = r.get("timeout", 10.0)
        goal_id = {"uuid": list(uuid.uuid4().bytes)}

        def report(message: Dict[str, Any]) -> None:
            if message["goal_id"] == goal_id:
                self.tell({"event": "feedback", "value": message["feedback"]})

        client = self.node.action_client(r["action"], r["type"], report)
        end = time.monotonic() + timeout
        while not client.matched() and time.monotonic() < end:
            time.sleep(0.01)
        response = client.send_goal.call({"goal_id": goal_id, "goal": r.get("goal", {})}, timeout)
        if response is None or not response["accepted"]:
            return {"accepted": False, "answered": response is not None}
        self.tell({"event": "accepted"})
        waiting = client.get_result.send({"goal_id": goal_id})
        if "cancel_after" in r:
            time.sleep(r["cancel_after"])
            client.cancel_goal.call({"goal_info": {"goal_id": goal_id}}, timeout)
        result = client.get_result.wait(waiting, timeout)
        return {"accepted": True, **(result or {"status": None})}

    def op_matched(self, r: Dict[str, Any]) -> Dict[str, Any]:
        end = time.monotonic() + r.get("timeout", 10.0)
        while True:
            count = self.endpoints[r["name"]].matched()
            if count >= r.get("count", 1) or time.monotonic() > end:
                return {"matched": count}
            time.sleep(0.01)
