"""Shows a running policy in RViz: camera, foreseen image, comparison, robot model and path.

ros2 launch f1_policy foresight_view.launch.py robot:=franka namespace:=f1
"""

import os
import sys

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import f1_launch  # noqa: E402  (beside this file; a launch file is not part of a Python package)


def start(context):
    """One RViz in the policy's namespace."""
    namespace = LaunchConfiguration("namespace").perform(context).strip()
    use_sim_time = f1_launch.flag(
        "use_sim_time", LaunchConfiguration("use_sim_time").perform(context)
    )
    share = f1_launch.share_directory()
    robot = f1_launch.robot_file(share, LaunchConfiguration("robot").perform(context).strip())
    return [f1_launch.rviz_node(share, robot, namespace, use_sim_time)]


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
                "namespace", default_value="f1", description="namespace of the running policy"
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="take the time from /clock"
            ),
            OpaqueFunction(function=start),
        ]
    )
