"""What the launch files of f1_policy share: finding files, choosing the build, RViz."""

import ctypes
import os
import tempfile
import xml.etree.ElementTree as ElementTree

import yaml
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


# Frames stay in the robot's namespace: two robots may have links of the same names.
FRAMES = [("/tf", "tf"), ("/tf_static", "tf_static")]

# The lines of f1.rviz that name the bench's camera and root link; replaced for other robots.
RVIZ_CAMERA = "Value: front/image_raw"
RVIZ_FRAME = "Fixed Frame: base_link"


def share_directory():
    """share/f1_policy of the install; the source tree when the launch file runs from a checkout."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.isdir(os.path.join(here, "config", "robots")):
        return here
    from ament_index_python.packages import get_package_share_directory

    return get_package_share_directory("f1_policy")


def flag(name, text):
    """A launch argument that is true or false; RuntimeError names the argument otherwise."""
    lowered = str(text).strip().lower()
    if lowered in ("true", "1", "yes", "on"):
        return True
    if lowered in ("false", "0", "no", "off"):
        return False
    raise RuntimeError(f"{name}: '{text}' is neither true nor false")


def text(value):
    """A parameter that stays text: launch reads a bare string as YAML, and "yes" becomes a bool."""
    return ParameterValue(value, value_type=str)


class RobotFile:
    """The parts of a robot file that launching needs: its name, its path and its URDF."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        with open(self.path, encoding="utf-8") as stream:
            self.data = yaml.safe_load(stream)
        if not isinstance(self.data, dict):
            raise RuntimeError(
                f"robot: {self.path} is not a robot file (a YAML mapping is expected)"
            )
        self.name = self.data.get("name") or os.path.splitext(os.path.basename(self.path))[0]

    def urdf_path(self):
        """Absolute path of the URDF; in the file it is relative to the robot file's folder."""
        urdf = self.data.get("urdf")
        if not urdf:
            raise RuntimeError(f"robot: {self.path} names no urdf")
        path = os.path.normpath(os.path.join(os.path.dirname(self.path), urdf))
        if not os.path.isfile(path):
            raise RuntimeError(f"robot: {self.path}: urdf: there is no file {path}")
        return path

    def urdf_text(self):
        """The URDF as robot_state_publisher wants it."""
        with open(self.urdf_path(), encoding="utf-8") as stream:
            return stream.read()

    def root_frame(self):
        """The one link of the URDF that is no joint's child."""
        urdf = ElementTree.fromstring(self.urdf_text())
        children = {joint.find("child").get("link") for joint in urdf.findall("joint")}
        roots = [
            link.get("name") for link in urdf.findall("link") if link.get("name") not in children
        ]
        if len(roots) != 1:
            raise RuntimeError(
                f"robot: {self.urdf_path()}: {len(roots)} root links instead of one: "
                f"{', '.join(roots)}"
            )
        return roots[0]

    def camera_topic(self):
        """The topic of the camera whose next image is foreseen, the first that keeps a history."""
        cameras = self.data.get("cameras") or []
        kept = [camera for camera in cameras if "history" in (camera.get("roles") or [])] or cameras
        if not kept:
            raise RuntimeError(f"robot: {self.path} names no cameras")
        # RViz takes the transport from the topic's last part: `.../compressed` is compressed.
        return kept[0].get("topic", "")


def robot_file(share, robot):
    """A shipped robot by its name, or any robot file by its path."""
    shipped = os.path.join(share, "config", "robots")
    candidate = os.path.join(shipped, f"{robot}.yaml")
    if os.path.isfile(candidate):
        return RobotFile(candidate)
    if os.path.isfile(robot):
        return RobotFile(robot)
    names = sorted(name[: -len(".yaml")] for name in os.listdir(shipped) if name.endswith(".yaml"))
    raise RuntimeError(
        f"robot: '{robot}' is neither a shipped robot ({', '.join(names)}) nor a file"
    )


def model_directory(share, model):
    """A shipped model by its name, any checkpoint folder by its path, or a policy server."""
    if model.startswith(("ws://", "wss://")):
        return model
    candidate = os.path.join(share, "models", model)
    if os.path.isdir(candidate):
        return candidate
    if os.path.isdir(model):
        return os.path.abspath(model)
    raise RuntimeError(
        f"model: '{model}' is neither a shipped model nor a checkpoint folder "
        "(config.json, model.safetensors, tokenizer.json, stats.json) nor a policy server "
        "(ws://HOST:PORT)"
    )


def has_nvidia_gpu():
    """(whether an NVIDIA driver finds at least one device, a sentence that says so)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False, "no NVIDIA driver (libcuda.so.1) on this machine"
    count = ctypes.c_int(0)
    if (
        driver.cuInit(0) != 0
        or driver.cuDeviceGetCount(ctypes.byref(count)) != 0
        or count.value == 0
    ):
        return False, "an NVIDIA driver is here but it finds no device"
    return True, f"{count.value} NVIDIA device(s)"


def has_program(name):
    """Whether lib/f1_policy holds the program."""
    try:
        from ament_index_python.packages import get_package_prefix

        return os.access(
            os.path.join(get_package_prefix("f1_policy"), "lib", "f1_policy", name), os.X_OK
        )
    except Exception:  # the package is not installed: a checkout, or a test with stand-ins
        return False


def choose_build(device):
    """(program, device parameter, why); the CUDA program cannot start without a driver."""
    if device not in ("auto", "cpu", "cuda"):
        raise RuntimeError(f"device: '{device}' is none of auto, cpu, cuda")
    if device == "cpu":
        return "f1_policy_node", "cpu", "device is cpu"
    gpu, sentence = has_nvidia_gpu()
    built = has_program("f1_policy_node_cuda")
    if gpu and built:
        return "f1_policy_node_cuda", "cuda", sentence
    missing = (
        sentence
        if not gpu
        else f"{sentence}, but the CUDA build is not installed "
        "(colcon build --cmake-args -DF1_CUDA=ON)"
    )
    if device == "cuda":
        raise RuntimeError(f"device: cuda was asked for: {missing}")
    return "f1_policy_node", "cpu", f"CPU build: {missing}"


def rviz_config(share, robot):
    """f1.rviz, or a copy with the names of the robot's camera and root link."""
    shipped = os.path.join(share, "rviz", "f1.rviz")
    with open(shipped, encoding="utf-8") as stream:
        config = stream.read()
    wanted = config.replace(RVIZ_CAMERA, f"Value: {robot.camera_topic()}").replace(
        RVIZ_FRAME, f"Fixed Frame: {robot.root_frame()}"
    )
    if wanted == config:
        return shipped
    path = os.path.join(tempfile.mkdtemp(prefix="f1_rviz_"), f"{robot.name}.rviz")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(wanted)
    return path


def rviz_node(share, robot, namespace, use_sim_time):
    """RViz in the policy's namespace; the topics in f1.rviz are relative to it."""
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        arguments=["-d", rviz_config(share, robot)],
        parameters=[{"use_sim_time": use_sim_time}],
        remappings=FRAMES,
        output="log",
    )
