"""A ROS 2 node without ROS: plain DDS (Eclipse Cyclone) with a ROS 2 node's names and types.

It shares no code with f1_policy: definitions are parsed here again, and the encoding is Cyclone's.
What works against it works against rmw_cyclonedds.

    from f1_peer import Node, Qos, Types
    types = Types()
    node = Node(types)
    publisher = node.publisher("/joint_states", "sensor_msgs/msg/JointState", Qos(depth=5))
    publisher.publish({"name": ["a"], "position": [0.5]})
"""

from .definitions import default_roots, load
from .node import Node, Qos
from .types import Types

__all__ = ["Node", "Qos", "Types", "default_roots", "load"]
