"""ros2_control's mock hardware with real JointTrajectoryControllers, to try the policy on.

    ros2 launch f1_policy mock_hardware.launch.py robot:=franka
    ros2 launch f1_policy bringup.launch.py robot:=franka model:=... description:=false

The <ros2_control> element is added to the URDF here; the shipped URDFs do not contain one.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree

import yaml
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import f1_launch  # noqa: E402  (beside this file; a launch file is not part of a Python package)


def controllers_of(path):
    """{controller: [joints]} of a ros2_control parameter file; RuntimeError for one without."""
    with open(path, encoding="utf-8") as stream:
        data = yaml.safe_load(stream)
    nodes = data["/**"]
    manager = nodes["controller_manager"]["ros__parameters"]
    found = {}
    for name, settings in manager.items():
        kind = settings.get("type", "") if isinstance(settings, dict) else ""
        parameters = nodes.get(name, {}).get("ros__parameters", {})
        if "JointTrajectoryController" in kind:
            joints = parameters.get("joints", [])
        elif "GripperActionController" in kind:
            joints = [parameters["joint"]] if "joint" in parameters else []
        else:
            continue
        if not joints:
            raise RuntimeError(f"{path}: controller {name} has no joints")
        found[name] = joints
    return found


def with_mock_hardware(urdf, joints, home):
    """The URDF text with a mock system in which these joints are commanded.

    The other joints that move have a state, so that all frames are published. Joints start at home
    (rad or m; 0 where home does not name them).
    """
    robot = ElementTree.fromstring(urdf)
    system = ElementTree.SubElement(robot, "ros2_control", {"name": "mock", "type": "system"})
    hardware = ElementTree.SubElement(system, "hardware")
    ElementTree.SubElement(hardware, "plugin").text = "mock_components/GenericSystem"
    known = {joint.get("name") for joint in robot.findall("joint")}
    for name in joints:
        if name not in known:
            raise RuntimeError(f"controller joint {name} is not in the URDF")
    moving = [
        joint.get("name")
        for joint in robot.findall("joint")
        if joint.get("type") in ("revolute", "continuous", "prismatic")
        and joint.find("mimic") is None
    ]
    for name in [*joints, *(name for name in moving if name not in joints)]:
        joint = ElementTree.SubElement(system, "joint", {"name": name})
        if name in joints:
            ElementTree.SubElement(joint, "command_interface", {"name": "position"})
        state = ElementTree.SubElement(joint, "state_interface", {"name": "position"})
        ElementTree.SubElement(state, "param", {"name": "initial_value"}).text = repr(
            float(home.get(name, 0.0))
        )
        ElementTree.SubElement(joint, "state_interface", {"name": "velocity"})
    return ElementTree.tostring(robot, encoding="unicode")


def start(context):
    """Controller manager on mock hardware, the controllers, robot_state_publisher."""
    share = f1_launch.share_directory()
    robot = f1_launch.robot_file(share, LaunchConfiguration("robot").perform(context).strip())
    namespace = LaunchConfiguration("namespace").perform(context).strip()
    path = os.path.join(share, "config", "controllers", f"{robot.name}.yaml")
    if not os.path.isfile(path):
        raise RuntimeError(f"robot: there is no controller file {path}")
    controllers = controllers_of(path)
    joints = [joint for names in controllers.values() for joint in names]
    home = robot.data.get("home") or {}
    description = with_mock_hardware(robot.urdf_text(), joints, home)
    spawners = [
        Node(
            package="controller_manager",
            executable="spawner",
            namespace=namespace,
            arguments=[
                name,
                "--controller-manager",
                f"/{namespace}/controller_manager" if namespace else "/controller_manager",
            ],
        )
        for name in ["joint_state_broadcaster", *controllers]
    ]
    return [
        Node(
            package="controller_manager",
            executable="ros2_control_node",
            namespace=namespace,
            # The manager reads the description from robot_state_publisher's topic; older versions
            # look for it below their own name.
            remappings=[("~/robot_description", "robot_description")],
            parameters=[path],
            output="screen",
        ),
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            namespace=namespace,
            parameters=[{"robot_description": f1_launch.text(description)}],
            remappings=f1_launch.FRAMES,
        ),
        *spawners,
    ]


def generate_launch_description():
    """The entry point that `ros2 launch` calls."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robot",
                default_value="bench_arm",
                description="name of a shipped robot file or a path to one",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="f1", description="namespace of the controllers"
            ),
            OpaqueFunction(function=start),
        ]
    )
