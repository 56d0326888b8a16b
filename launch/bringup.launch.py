"""Starts the policy on a robot; without arguments on the simulated bench, with no hardware.

    ros2 launch f1_policy bringup.launch.py
    ros2 launch f1_policy bringup.launch.py robot:=franka model:=/path/to/checkpoint \\
      instruction:="pick up the red cube"

Two robots on one machine are two launches with two namespaces.
"""

import os
import re
import sys

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import f1_launch  # noqa: E402  (beside this file; a launch file is not part of a Python package)

ARGUMENTS = [
    (
        "robot",
        "bench_arm",
        "name of a shipped robot file (config/robots/NAME.yaml) or a path to one",
    ),
    (
        "model",
        "f1_bench",
        "name of a shipped model (models/NAME), a path to a checkpoint folder, or a policy server: "
        "ws://HOST:PORT or wss://HOST:PORT",
    ),
    (
        "server_layout",
        "",
        "where a policy server wants cameras, state and instruction: a shipped layout "
        "(config/layouts/NAME.yaml) or a file; empty: as the server says",
    ),
    (
        "server_key",
        "",
        "file that holds the API key of a policy server; empty: the environment variable "
        "F1_API_KEY, if it is set",
    ),
    ("server_ca", "", "file of certificates (PEM) that are trusted for wss://"),
    (
        "instruction",
        "",
        "what to do; empty: the bench robot gets 'pick up the red cube', any other robot waits for "
        "the topic 'instruction'",
    ),
    ("device", "auto", "auto, cpu or cuda"),
    ("dtype", "", "f32 or bf16; empty: as the checkpoint is stored"),
    (
        "quant",
        "",
        "quantisation at load: q8_0 or q4k of the experts' linear layers, fp8 of the understanding "
        "expert's on a GPU; empty: none",
    ),
    ("namespace", "f1", "namespace of all nodes and topics"),
    ("rviz", "true", "show camera, foreseen image, comparison, robot model and path in RViz"),
    ("sim", "auto", "run the simulated bench; auto: only when robot is bench_arm"),
    (
        "description",
        "true",
        "publish the robot's frames and model; false where something else does "
        "(mock_hardware.launch.py, a driver)",
    ),
    (
        "use_sim_time",
        "",
        "take the time from /clock; empty: as a parameter file says for the four nodes, else false",
    ),
    (
        "autostart",
        "",
        "walk the four managed nodes up to active; empty: as a parameter file says, else true",
    ),
    (
        "params_file",
        "",
        "a ROS 2 parameter file for the four nodes, read after config/f1_policy.yaml",
    ),
    ("log_level", "info", "debug, info, warn, error or fatal"),
]

CHOICES = {
    "device": ["auto", "cpu", "cuda"],
    "dtype": ["", "f32", "bf16"],
    "quant": ["", "q8_0", "q4k", "fp8"],
    "log_level": ["debug", "info", "warn", "error", "fatal"],
}


def start(context):
    """Makes the actions when the arguments are known; RuntimeError names what is wrong."""
    value = {name: LaunchConfiguration(name).perform(context).strip() for name, _, _ in ARGUMENTS}
    share = f1_launch.share_directory()
    robot = f1_launch.robot_file(share, value["robot"])
    model = f1_launch.model_directory(share, value["model"])
    flag = f1_launch.flag
    flags = {name: flag(name, value[name]) for name in ("use_sim_time", "autostart") if value[name]}
    use_sim_time = flags.get("use_sim_time", False)
    is_bench = robot.name == "bench_arm"
    sim = is_bench if value["sim"] == "auto" else flag("sim", value["sim"])
    instruction = value["instruction"] or ("pick up the red cube" if is_bench else "")
    executable, device, why = f1_launch.choose_build(value["device"])
    print(f"[f1_policy] {executable}: {why}")

    parameters = [os.path.join(share, "config", "f1_policy.yaml")]
    if value["params_file"]:
        if not os.path.isfile(value["params_file"]):
            raise RuntimeError(f"params_file: there is no file {value['params_file']}")
        parameters.append(value["params_file"])
    texts = {
        "robot_file": robot.path,
        "model": model,
        "server_layout": value["server_layout"],
        "server_key": value["server_key"],
        "server_ca": value["server_ca"],
        "instruction": instruction,
        "device": device,
        "dtype": value["dtype"],
        "quant": value["quant"],
    }
    parameters.append(
        {
            # What is empty keeps its default, or what a parameter file says.
            **{name: f1_launch.text(given) for name, given in texts.items() if given},
            **flags,
        }
    )
    log = ["--log-level", value["log_level"]]
    actions = [
        # One process, four nodes: a name here would rename all four, so there is none.
        Node(
            package="f1_policy",
            executable=executable,
            namespace=value["namespace"],
            parameters=parameters,
            ros_arguments=log,
            output="screen",
            emulate_tty=True,
            sigterm_timeout="10",
        ),
    ]
    if flag("description", value["description"]):
        actions.append(
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                namespace=value["namespace"],
                parameters=[
                    {
                        "robot_description": f1_launch.text(robot.urdf_text()),
                        "use_sim_time": use_sim_time,
                    }
                ],
                remappings=f1_launch.FRAMES,
                output="screen",
            )
        )
    if sim:
        bench = {"robot_file": f1_launch.text(robot.path), "use_sim_time": use_sim_time}
        # What is asked for lies on the belt.
        asked = re.fullmatch(
            r"pick up the ((?:red|green|blue|yellow) (?:cube|ball|cylinder))", instruction
        )
        if asked:
            bench["object"] = f1_launch.text(asked.group(1))
        actions.append(
            Node(
                package="f1_policy",
                executable="f1_sim_node",
                namespace=value["namespace"],
                parameters=[bench],
                ros_arguments=log,
                output="screen",
            )
        )
    if flag("rviz", value["rviz"]):
        actions.append(f1_launch.rviz_node(share, robot, value["namespace"], use_sim_time))
    return actions


def generate_launch_description():
    """The entry point that `ros2 launch` calls."""
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=text, choices=CHOICES.get(name)
        )
        for name, default, text in ARGUMENTS
    ]
    return LaunchDescription(declared + [OpaqueFunction(function=start)])
