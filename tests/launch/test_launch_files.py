"""Loads every launch file, with the real launch packages where a ROS 2 is sourced.

Elsewhere stand-ins take their place.

Run it with `python3 tests/launch/test_launch_files.py` or by pytest; it needs PyYAML.
"""

import importlib.util
import os
import py_compile
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAUNCH = os.path.join(ROOT, "launch")

try:
    import launch_ros.actions  # noqa: F401

    REAL = True
except ImportError:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "stand_ins"))
    REAL = False

from launch import LaunchContext  # noqa: E402
from launch.actions import DeclareLaunchArgument, OpaqueFunction  # noqa: E402

ROBOTS = sorted(
    name[:-5]
    for name in os.listdir(os.path.join(ROOT, "config", "robots"))
    if name.endswith(".yaml")
)


def load(name):
    """The launch file as a module."""
    specification = importlib.util.spec_from_file_location(
        name.replace(".", "_"), os.path.join(LAUNCH, name)
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def actions_of(name, **arguments):
    """The actions that the launch file would start with these arguments."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    started = []
    for entity in load(name).generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            if REAL:
                entity.execute(context)
            else:
                entity.visit(context)
        elif isinstance(entity, OpaqueFunction):
            started += (entity.execute(context) if REAL else entity.visit(context)) or []
    return started


def text_of(value):
    """The text of a real node's field, which is a list of substitutions, or of a stand-in's."""
    if isinstance(value, str) or value is None:
        return value
    return "".join(getattr(part, "text", str(part)) for part in value)


def executable_of(node):
    """The program that a node action starts."""
    return text_of(node.node_executable) if REAL else node.arguments["executable"]


class LaunchFiles(unittest.TestCase):
    """What the launch files promise."""

    def test_every_python_file_compiles(self):
        for folder in (LAUNCH, os.path.dirname(os.path.abspath(__file__))):
            for name in os.listdir(folder):
                if name.endswith(".py"):
                    py_compile.compile(os.path.join(folder, name), doraise=True)

    def test_without_arguments_the_bench_its_simulator_and_its_model_start(self):
        programs = [executable_of(node) for node in actions_of("bringup.launch.py", device="cpu")]
        self.assertEqual(
            programs, ["f1_policy_node", "robot_state_publisher", "f1_sim_node", "rviz2"]
        )

    def test_every_shipped_robot_starts_without_the_simulator(self):
        for robot in ROBOTS:
            if robot == "bench_arm":
                continue
            with self.subTest(robot=robot):
                programs = [
                    executable_of(node)
                    for node in actions_of(
                        "bringup.launch.py", robot=robot, rviz="false", device="cpu"
                    )
                ]
                self.assertEqual(programs, ["f1_policy_node", "robot_state_publisher"])

    @unittest.skipIf(REAL, "reads the recorded arguments of the stand-ins")
    def test_two_robots_live_in_two_namespaces(self):
        for namespace in ("left", "right"):
            for node in actions_of("bringup.launch.py", namespace=namespace):
                self.assertEqual(node.arguments["namespace"], namespace)
                self.assertNotIn("name", node.arguments)

    @unittest.skipIf(REAL, "reads the recorded arguments of the stand-ins")
    def test_arguments_reach_the_policy_as_parameters(self):
        node = actions_of(
            "bringup.launch.py", instruction="wave", quant="q8_0", autostart="false", device="cpu"
        )[0]
        parameters = node.arguments["parameters"][-1]
        self.assertIs(parameters["autostart"], False)
        for name, wanted in (("instruction", "wave"), ("quant", "q8_0"), ("device", "cpu")):
            self.assertEqual(parameters[name].value, wanted)
            self.assertIs(parameters[name].value_type, str)
        # An empty one is left to the parameter file and the node's default.
        self.assertNotIn("dtype", parameters)

    @unittest.skipIf(REAL, "reads the recorded arguments of the stand-ins")
    def test_the_urdf_stays_text(self):
        for launch in ("bringup.launch.py", "mock_hardware.launch.py"):
            publisher = next(
                node
                for node in actions_of(launch)
                if executable_of(node) == "robot_state_publisher"
            )
            description = publisher.arguments["parameters"][0]["robot_description"]
            self.assertIs(description.value_type, str)
            self.assertEqual(ElementTree.fromstring(description.value).tag, "robot")

    def test_wrong_arguments_are_named(self):
        for arguments, word in (
            ({"robot": "no_such_robot"}, "no_such_robot"),
            ({"model": "no_such_model"}, "no_such_model"),
            ({"autostart": "perhaps"}, "autostart"),
            ({"device": "tpu"}, "device"),
            ({"quant": "q9"}, "quant"),
            ({"log_level": "loud"}, "log_level"),
            ({"params_file": "no_such_file.yaml"}, "params_file"),
        ):
            with self.subTest(arguments=arguments), self.assertRaisesRegex(RuntimeError, word):
                actions_of("bringup.launch.py", **arguments)

    def test_the_view_is_one_rviz(self):
        self.assertEqual(
            [executable_of(node) for node in actions_of("foresight_view.launch.py")], ["rviz2"]
        )

    def test_rviz_shows_each_robots_camera_from_its_root_link(self):
        helpers = load("f1_launch.py")
        with open(os.path.join(LAUNCH, "..", "rviz", "f1.rviz"), encoding="utf-8") as stream:
            config = stream.read()
        # What is exchanged must be there, once.
        self.assertEqual(
            (config.count(helpers.RVIZ_CAMERA), config.count(helpers.RVIZ_FRAME)), (1, 1)
        )
        for robot, camera, root in (
            ("bench_arm", "front/image_raw", "base_link"),
            ("franka", "agentview/image_raw", "world"),
            ("google_robot", "head/image_raw", "link_base"),
        ):
            with self.subTest(robot=robot):
                with open(
                    helpers.rviz_config(ROOT, helpers.robot_file(ROOT, robot)), encoding="utf-8"
                ) as stream:
                    config = stream.read()
                self.assertIn(f"Value: {camera}\n", config)
                self.assertIn(f"Fixed Frame: {root}\n", config)

    def test_rviz_shows_topics_that_the_policy_publishes(self):
        with open(os.path.join(ROOT, "docs", "topics.md"), encoding="utf-8") as stream:
            tables = [line for line in stream if line.startswith("| `")]
        rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in tables]
        published = [row[0] for row in rows if len(row) == 6 and row[2] == "out"]
        self.assertIn("status", published)
        with open(os.path.join(ROOT, "rviz", "f1.rviz"), encoding="utf-8") as stream:
            text = stream.read()
        shown = re.findall(r"Value: ((?:foresight|action|safety_filter|status)\S*)", text)
        self.assertGreaterEqual(len(shown), 3)
        for topic in shown:
            with self.subTest(topic=topic):
                # `action/path/<arm>` is `action/path` for one arm.
                names = [re.sub(r"/?<\w+>", "(/[a-z_]+)?", name) for name in published]
                self.assertTrue(any(re.fullmatch(name, topic) for name in names), topic)

    def test_another_publisher_of_the_description_is_left_alone(self):
        programs = [
            executable_of(node)
            for node in actions_of(
                "bringup.launch.py", device="cpu", description="false", rviz="false", sim="false"
            )
        ]
        self.assertEqual(programs, ["f1_policy_node"])

    @unittest.skipIf(REAL, "reads the recorded arguments of the stand-ins")
    def test_frames_stay_in_the_namespace(self):
        for launch in ("bringup.launch.py", "mock_hardware.launch.py", "foresight_view.launch.py"):
            for node in actions_of(launch):
                if executable_of(node) in ("robot_state_publisher", "rviz2"):
                    self.assertIn(("/tf", "tf"), node.arguments["remappings"])

    @unittest.skipIf(REAL, "reads the recorded arguments of the stand-ins")
    def test_what_is_not_given_is_left_to_the_parameter_file(self):
        parameters = actions_of("bringup.launch.py")[0].arguments["parameters"][-1]
        self.assertTrue({"use_sim_time", "autostart"}.isdisjoint(parameters))

    def test_mock_hardware_offers_every_controller_of_every_robot(self):
        for robot in ROBOTS:
            with self.subTest(robot=robot):
                programs = [
                    executable_of(node)
                    for node in actions_of("mock_hardware.launch.py", robot=robot)
                ]
                self.assertEqual(programs[:2], ["ros2_control_node", "robot_state_publisher"])
                self.assertGreaterEqual(programs.count("spawner"), 2)

    def test_mock_hardware_refuses_a_joint_that_the_urdf_lacks(self):
        module = load("mock_hardware.launch.py")
        urdf = '<robot name="r"><joint name="a" type="revolute"/></robot>'
        described = ElementTree.fromstring(module.with_mock_hardware(urdf, ["a"], {"a": 0.5}))
        self.assertEqual(described.find("ros2_control/joint/state_interface/param").text, "0.5")
        with self.assertRaisesRegex(RuntimeError, "elbow"):
            module.with_mock_hardware(urdf, ["elbow"], {})

    def test_a_joint_that_no_controller_moves_has_a_state(self):
        module = load("mock_hardware.launch.py")
        joint = '<joint name="{}" type="{}">{}</joint>'
        urdf = "".join(
            joint.format(*each)
            for each in (
                ("a", "revolute", ""),
                ("lift", "prismatic", ""),
                ("finger", "prismatic", '<mimic joint="a"/>'),
                ("mount", "fixed", ""),
            )
        )
        described = ElementTree.fromstring(
            module.with_mock_hardware(f'<robot name="r">{urdf}</robot>', ["a"], {})
        )
        joints = {each.get("name"): each for each in described.findall("ros2_control/joint")}
        self.assertEqual(sorted(joints), ["a", "lift"])
        self.assertIsNotNone(joints["a"].find("command_interface"))
        self.assertIsNone(joints["lift"].find("command_interface"))


if __name__ == "__main__":
    unittest.main()
