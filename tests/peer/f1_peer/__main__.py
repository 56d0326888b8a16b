"""Command line of the peer.

    python -m f1_peer codec                 encode and decode for another program (see codec.py)
    python -m f1_peer session               a node driven by another program (see session.py)
    python -m f1_peer echo TOPIC TYPE       print what is published
    python -m f1_peer pub TOPIC TYPE JSON   publish at a rate
    python -m f1_peer call NAME TYPE JSON   call a service

TYPE is a full name, `sensor_msgs/msg/Image`. The domain is --domain or ROS_DOMAIN_ID.
"""

import argparse
import json
import os
import sys
import time

from . import codec
from .node import Node, Qos
from .session import Session
from .types import Types


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="f1_peer", description="A ROS 2 node without ROS, on Eclipse Cyclone DDS."
    )
    parser.add_argument("--domain", type=int, default=int(os.environ.get("ROS_DOMAIN_ID", "0")))
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("codec")
    commands.add_parser("session")
    for command in ("echo", "pub"):
        sub = commands.add_parser(command)
        sub.add_argument("topic")
        sub.add_argument("type")
        sub.add_argument("--best-effort", action="store_true")
        sub.add_argument("--transient-local", action="store_true")
        sub.add_argument("--depth", type=int, default=10)
        if command == "pub":
            sub.add_argument("value", type=json.loads)
            sub.add_argument("--rate", type=float, default=1.0)
            sub.add_argument("--count", type=int)
    call = commands.add_parser("call")
    call.add_argument("service")
    call.add_argument("type")
    call.add_argument("value", type=json.loads, nargs="?", default={})
    call.add_argument("--timeout", type=float, default=5.0)
    arguments = parser.parse_args()

    if arguments.command == "codec":
        codec.main()
        return 0
    if arguments.command == "session":
        Session(arguments.domain).serve()
        return 0
    node = Node(Types(), arguments.domain)
    if arguments.command == "call":
        response = node.client(arguments.service, arguments.type).call(
            arguments.value, arguments.timeout
        )
        print(json.dumps(response))
        return 0 if response is not None else 1
    qos = Qos(not arguments.best_effort, arguments.transient_local, arguments.depth)
    if arguments.command == "echo":
        node.subscribe(
            arguments.topic, arguments.type, lambda value: print(json.dumps(value), flush=True), qos
        )
        while True:
            time.sleep(1)
    publisher = node.publisher(arguments.topic, arguments.type, qos)
    sent = 0
    while arguments.count is None or sent < arguments.count:
        publisher.publish(arguments.value)
        sent += 1
        time.sleep(1.0 / arguments.rate)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
