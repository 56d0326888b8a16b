"""Publishers, subscriptions, services and actions with the names of rmw_cyclonedds."""

import struct
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from cyclonedds.core import (
    DDSException,
    InstanceState,
    ReadCondition,
    SampleState,
    ViewState,
    WaitSet,
)
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy
from cyclonedds.qos import Qos as DdsQos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from .types import Types

# How long a reply waits for its way to the client to be discovered, in seconds.
REPLY_LIMIT = 2.0

TOPIC_TRIES = 3

# action_msgs/msg/GoalStatus
ACCEPTED, EXECUTING, CANCELING, SUCCEEDED, CANCELED, ABORTED = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Qos:
    """The part of ROS 2's quality of service that matters here. `depth` 0 keeps all."""

    reliable: bool = True
    transient_local: bool = False
    depth: int = 10

    def dds(self) -> DdsQos:
        return DdsQos(
            Policy.Reliability.Reliable(duration(seconds=10))
            if self.reliable
            else Policy.Reliability.BestEffort,
            Policy.Durability.TransientLocal
            if self.transient_local
            else Policy.Durability.Volatile,
            Policy.History.KeepLast(self.depth) if self.depth else Policy.History.KeepAll,
            Policy.DataRepresentation(use_cdrv0_representation=True),
        )


SENSOR_DATA = Qos(reliable=False, depth=5)
SERVICES = Qos()
LATCHED = Qos(transient_local=True, depth=1)


class _Encoded:
    """What a writer writes and a reader reads: CDR, decoded where the values are needed.

    Cyclone's Python binding encodes sample by sample in Python; an image would take half a second.
    """

    def __init__(self, data: bytes):
        self.data = data
        self.sample_info: Any = None

    def serialize(self, use_version_2: Optional[bool] = None) -> bytes:
        return self.data

    @classmethod
    def deserialize(cls, data: bytes) -> "_Encoded":
        return cls(bytes(data))

    deserialize_key = deserialize


def _encoded(idl_class: type) -> type:
    """A class that DDS takes for `idl_class` and that holds CDR."""
    attributes = {"__idl__": idl_class.__idl__, "__idl_typename__": idl_class.__idl_typename__}
    return type(idl_class.__name__, (_Encoded,), attributes)


def _topic(node: "Node", name: str, encoded: type, qos: Qos) -> Topic:
    """Makes a topic; tries again, because Cyclone can refuse a type that it is just discovering."""
    for attempt in range(TOPIC_TRIES):
        try:
            return Topic(node.participant, name, encoded, qos=qos.dds())
        except DDSException as error:
            if error.code != DDSException.DDS_RETCODE_BAD_PARAMETER or attempt + 1 == TOPIC_TRIES:
                raise
            time.sleep(0.05)
    raise AssertionError("the last try returns or raises")


def _frame(client: int, sequence: int, body: bytes) -> bytes:
    """A service message as rmw_cyclonedds sends it: the client's identity goes before the fields.

    Its 16 bytes leave the alignment of the fields as it was.
    """
    return body[:4] + struct.pack("<Qq", client, sequence) + body[4:]


def _unframe(data: bytes) -> Tuple[int, int, bytes]:
    order = "<" if data[1] & 1 else ">"
    client, sequence = struct.unpack_from(f"{order}Qq", data, 4)
    return client, sequence, data[:4] + data[20:]


class Publisher:
    """Made by `Node.publisher`."""

    def __init__(self, node: "Node", topic: str, name: str, idl_class: type, qos: Qos):
        self._types = node.types
        self._name = name
        self._class = _encoded(idl_class)
        dds_topic = _topic(node, topic, self._class, qos)
        self.writer = DataWriter(node.participant, dds_topic, qos=qos.dds())

    def publish(self, value: Dict[str, Any]) -> None:
        """Publishes a dictionary."""
        self.publish_cdr(self._types.encode(self._name, value))

    def publish_cdr(self, data: bytes) -> None:
        """Publishes bytes that are already encoded, header included."""
        self.writer.write(self._class(data))

    def matched(self) -> int:
        """How many subscriptions there are."""
        return len(self.writer.get_matched_subscriptions())


class Subscription:
    """Made by `Node.subscribe`."""

    def __init__(
        self, node: "Node", topic: str, idl_class: type, qos: Qos, callback: Callable[[bytes], None]
    ):
        self._class = _encoded(idl_class)
        dds_topic = _topic(node, topic, self._class, qos)
        self.reader = DataReader(node.participant, dds_topic, qos=qos.dds())
        self.condition = ReadCondition(
            self.reader, SampleState.Any | ViewState.Any | InstanceState.Any
        )
        self._callback = callback

    def matched(self) -> int:
        """How many publishers there are."""
        return len(self.reader.get_matched_publications())

    def dispatch(self) -> None:
        """Hands over what has arrived."""
        for sample in self.reader.take(N=100):
            if isinstance(sample, _Encoded) and sample.sample_info.valid_data:
                self._callback(sample.data)


class Client:
    """Made by `Node.client`."""

    def __init__(self, node: "Node", name: str, service: str):
        self._types = node.types
        self._request = f"{service}_Request"
        self._response = f"{service}_Response"
        self._identity = uuid.uuid4().int & 0xFFFF_FFFF_FFFF_FFFF
        self._sequence = 0
        self._arrived = threading.Condition()
        self._answers: Dict[int, Any] = {}
        request, response = node.types.framed(self._request), node.types.framed(self._response)
        self.publisher = Publisher(node, f"rq{name}Request", self._request, request, SERVICES)
        self.subscription = node.add(
            Subscription(node, f"rr{name}Reply", response, SERVICES, self._on_reply)
        )

    def _on_reply(self, data: bytes) -> None:
        client, sequence, body = _unframe(data)
        if client == self._identity:
            with self._arrived:
                self._answers[sequence] = body
                self._arrived.notify_all()

    def matched(self) -> int:
        """How many servers there are."""
        return min(self.publisher.matched(), self.subscription.matched())

    def send(self, request: Dict[str, Any]) -> int:
        """Sends a request; `wait` with the number returned gives the response."""
        self._sequence += 1
        body = self._types.encode(self._request, request)
        self.publisher.publish_cdr(_frame(self._identity, self._sequence, body))
        return self._sequence

    def wait(self, sequence: int, timeout: float) -> Optional[Dict[str, Any]]:
        """The response, or None when none came in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: sequence in self._answers, timeout)
            answer = self._answers.pop(sequence, None)
        return None if answer is None else self._types.decode(self._response, answer)

    def call(self, request: Dict[str, Any], timeout: float = 5.0) -> Optional[Dict[str, Any]]:
        """Sends and waits; waits for a server first."""
        end = time.monotonic() + timeout
        while not self.matched() and time.monotonic() < end:
            time.sleep(0.01)
        return self.wait(self.send(request), max(0.0, end - time.monotonic()))


class Service:
    """Made by `Node.service`. The handler may answer later, from any thread, with `reply`."""

    def __init__(
        self, node: "Node", name: str, service: str, handler: Callable[[Dict[str, Any], Any], None]
    ):
        self._types = node.types
        self._request = f"{service}_Request"
        self._response = f"{service}_Response"
        self._handler = handler
        request, response = node.types.framed(self._request), node.types.framed(self._response)
        self.publisher = Publisher(node, f"rr{name}Reply", self._response, response, SERVICES)
        self.subscription = node.add(
            Subscription(node, f"rq{name}Request", request, SERVICES, self._on_request)
        )

    def _on_request(self, data: bytes) -> None:
        client, sequence, body = _unframe(data)
        self._handler(self._types.decode(self._request, body), (client, sequence))

    def reply(self, to: Any, response: Dict[str, Any]) -> None:
        """Answers the request that came with `to`.

        A request can arrive before the client's reader is discovered, and a reply without a matched
        reader is lost: as rmw_cyclonedds does, wait for the match.
        """
        client, sequence = to
        end = time.monotonic() + REPLY_LIMIT
        while not self.publisher.matched() and time.monotonic() < end:
            time.sleep(0.005)
        self.publisher.publish_cdr(
            _frame(client, sequence, self._types.encode(self._response, response))
        )


class Goal:
    """A goal that an `ActionServer` works on, in a thread of its own."""

    def __init__(self, server: "ActionServer", goal_id: List[int], request: Dict[str, Any]):
        self.goal_id = goal_id
        self.request = request
        self.status = ACCEPTED
        self.result: Dict[str, Any] = {}
        self.canceled = threading.Event()
        self.waiting: List[Any] = []
        self.stamp = now()
        self._server = server

    def feedback(self, value: Dict[str, Any]) -> None:
        """Tells the client."""
        self._server.feedback.publish({"goal_id": {"uuid": self.goal_id}, "feedback": value})


class ActionServer:
    """Made by `Node.action_server`. `execute(goal)` returns a status and a result."""

    def __init__(self, node: "Node", name: str, action: str, execute: Callable[[Goal], Any]):
        self._execute = execute
        self._lock = threading.Lock()
        self.goals: Dict[bytes, Goal] = {}
        self._send = node.service(f"{name}/_action/send_goal", f"{action}_SendGoal", self._on_goal)
        self._cancel = node.service(
            f"{name}/_action/cancel_goal", "action_msgs/srv/CancelGoal", self._on_cancel
        )
        self._result = node.service(
            f"{name}/_action/get_result", f"{action}_GetResult", self._on_result
        )
        self.feedback = node.publisher(f"{name}/_action/feedback", f"{action}_FeedbackMessage")
        self._status = node.publisher(
            f"{name}/_action/status", "action_msgs/msg/GoalStatusArray", LATCHED
        )

    def _on_goal(self, request: Dict[str, Any], to: Any) -> None:
        goal = Goal(self, request["goal_id"]["uuid"], request["goal"])
        with self._lock:
            self.goals[bytes(goal.goal_id)] = goal
        self._send.reply(to, {"accepted": True, "stamp": goal.stamp})
        threading.Thread(target=self._run, args=(goal,), daemon=True).start()

    def _run(self, goal: Goal) -> None:
        self._set_status(goal, EXECUTING)
        status, result = self._execute(goal)
        with self._lock:
            goal.result = result
            goal.status = status
            waiting, goal.waiting = goal.waiting, []
        self._set_status(goal, status)
        for to in waiting:
            self._result.reply(to, {"status": status, "result": result})

    def _set_status(self, goal: Goal, status: int) -> None:
        with self._lock:
            goal.status = status
            statuses = [
                {
                    "goal_info": {"goal_id": {"uuid": g.goal_id}, "stamp": g.stamp},
                    "status": g.status,
                }
                for g in self.goals.values()
            ]
        self._status.publish({"status_list": statuses})

    def _on_cancel(self, request: Dict[str, Any], to: Any) -> None:
        asked = request["goal_info"]["goal_id"]["uuid"]
        with self._lock:
            goals = [
                g
                for g in self.goals.values()
                if g.status in (ACCEPTED, EXECUTING) and (not any(asked) or g.goal_id == asked)
            ]
        self._cancel.reply(
            to,
            {
                "goals_canceling": [
                    {"goal_id": {"uuid": g.goal_id}, "stamp": g.stamp} for g in goals
                ]
            },
        )
        for goal in goals:
            self._set_status(goal, CANCELING)
            goal.canceled.set()

    def _on_result(self, request: Dict[str, Any], to: Any) -> None:
        with self._lock:
            goal = self.goals.get(bytes(request["goal_id"]["uuid"]))
            if goal is not None and goal.status < SUCCEEDED:
                goal.waiting.append(to)
                return
        if goal is None:
            self._result.reply(to, {"status": 0})
        else:
            self._result.reply(to, {"status": goal.status, "result": goal.result})


class ActionClient:
    """Made by `Node.action_client`."""

    def __init__(
        self, node: "Node", name: str, action: str, on_feedback: Callable[[Dict[str, Any]], None]
    ):
        self.send_goal = node.client(f"{name}/_action/send_goal", f"{action}_SendGoal")
        self.cancel_goal = node.client(f"{name}/_action/cancel_goal", "action_msgs/srv/CancelGoal")
        self.get_result = node.client(f"{name}/_action/get_result", f"{action}_GetResult")
        self.feedback = node.subscribe(
            f"{name}/_action/feedback", f"{action}_FeedbackMessage", on_feedback
        )

    def matched(self) -> int:
        """How many servers there are."""
        clients = (self.send_goal, self.cancel_goal, self.get_result, self.feedback)
        return min(c.matched() for c in clients)


class Node:
    """A DDS participant that acts as a ROS 2 node. Names are absolute (`/joint_states`)."""

    def __init__(self, types: Optional[Types] = None, domain: int = 0):
        self.types = types or Types()
        self.participant = DomainParticipant(domain)
        self._waitset = WaitSet(self.participant)
        self._subscriptions: List[Subscription] = []
        self._lock = threading.Lock()
        self._running = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def publisher(self, topic: str, name: str, qos: Qos = Qos()) -> Publisher:
        """A publisher of messages of type `name`."""
        return Publisher(self, f"rt{topic}", name, self.types.cls(name), qos)

    def subscribe_cdr(
        self, topic: str, name: str, callback: Callable[[bytes], None], qos: Qos = Qos()
    ) -> Subscription:
        """Calls back with the encoded message, header included, in the node's thread."""
        return self.add(Subscription(self, f"rt{topic}", self.types.cls(name), qos, callback))

    def subscribe(
        self, topic: str, name: str, callback: Callable[[Dict[str, Any]], None], qos: Qos = Qos()
    ) -> Subscription:
        """Calls back with the message as a dictionary, in the node's thread."""
        return self.subscribe_cdr(
            topic, name, lambda data: callback(self.types.decode(name, data)), qos
        )

    def client(self, name: str, service: str) -> Client:
        """A client of the service `name`."""
        return Client(self, name, service)

    def service(
        self, name: str, service: str, handler: Callable[[Dict[str, Any], Any], None]
    ) -> Service:
        """A service: `handler(request, to)` answers with `reply(to, response)`."""
        return Service(self, name, service, handler)

    def action_server(self, name: str, action: str, execute: Callable[[Goal], Any]) -> ActionServer:
        """An action server that accepts every goal."""
        return ActionServer(self, name, action, execute)

    def action_client(
        self, name: str, action: str, on_feedback: Callable[[Dict[str, Any]], None]
    ) -> ActionClient:
        """An action client."""
        return ActionClient(self, name, action, on_feedback)

    def add(self, subscription: Subscription) -> Subscription:
        """Has the node's thread serve a subscription."""
        with self._lock:
            self._subscriptions.append(subscription)
        self._waitset.attach(subscription.condition)
        return subscription

    def close(self) -> None:
        """Leaves the network."""
        self._running = False
        self._thread.join()

    def _spin(self) -> None:
        while self._running:
            self._waitset.wait(duration(milliseconds=50))
            with self._lock:
                subscriptions = list(self._subscriptions)
            for subscription in subscriptions:
                subscription.dispatch()


def now() -> Dict[str, int]:
    """The wall clock as builtin_interfaces/msg/Time."""
    nanoseconds = time.time_ns()
    return {"sec": nanoseconds // 1_000_000_000, "nanosec": nanoseconds % 1_000_000_000}
