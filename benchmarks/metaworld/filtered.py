"""The safety filter in the loop: chunks go through `f1 filter`, what it sends moves the hand.

MetaWorld draws its hand to a point by a weld. That point is the robot of `mocap_hand.yaml`: three
prismatic joints, and the gripper's effort as the position of a fourth. A chunk of velocities
becomes waypoints of the point, and the filter's trajectory is sampled at every simulation step.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

ROBOT = Path(__file__).with_name("mocap_hand.yaml")
JOINTS = ["hand_x", "hand_y", "hand_z", "grip"]
#: The limits of `mocap_hand.yaml` and its URDF; a test compares.
LOWER = np.array([-0.5, 0.4, 0.05, 0.0])
UPPER = np.array([0.5, 1.0, 0.5, 0.04])
VELOCITY = np.array([0.8, 0.8, 0.8, 3.2])
ACCELERATION = np.array([64.0, 64.0, 64.0, 256.0])
#: Metres that a hand action of 1 moves the point in one simulation step.
STRIDE = 0.01
#: Position of `grip` at a gripper effort of 1 (closes).
GRIP = 0.04


def grip_of(effort: float) -> float:
    """Position of the joint `grip` that stands for a gripper effort."""
    return (float(np.clip(effort, -1.0, 1.0)) + 1.0) / 2.0 * GRIP


def effort_of(grip: float) -> float:
    """Gripper effort that a position of `grip` stands for."""
    return float(np.clip(2.0 * grip / GRIP - 1.0, -1.0, 1.0))


def waypoints(start: np.ndarray, chunk: np.ndarray, steps: int) -> np.ndarray:
    """Positions `[rows, 4]` that a chunk of actions `[rows, 4]` asks for, one action a row."""
    moves = np.clip(chunk[:, :3], -1.0, 1.0) * STRIDE * steps
    rows = np.empty((len(chunk), 4))
    at = start[:3].copy()
    for row, move in zip(rows, moves):
        # As the environment clips its point.
        at = np.clip(at + move, LOWER[:3], UPPER[:3])
        row[:3] = at
    rows[:, 3] = [grip_of(effort) for effort in chunk[:, 3]]
    return rows


def quintic(first: dict, second: dict, time: float) -> np.ndarray:
    """Position at `time` between two points, as ros2_control's controller interpolates them."""
    span = second["t"] - first["t"]
    s = time - first["t"]
    p0, v0, a0 = (np.array(first[key]) for key in ("position", "velocity", "acceleration"))
    p1, v1, a1 = (np.array(second[key]) for key in ("position", "velocity", "acceleration"))
    d = p1 - p0
    c3 = (20 * d - (8 * v1 + 12 * v0) * span - (3 * a0 - a1) * span**2) / (2 * span**3)
    c4 = (-30 * d + (14 * v1 + 16 * v0) * span + (3 * a0 - 2 * a1) * span**2) / (2 * span**4)
    c5 = (12 * d - 6 * (v1 + v0) * span - (a0 - a1) * span**2) / (2 * span**5)
    return p0 + v0 * s + a0 * s**2 / 2 + c3 * s**3 + c4 * s**4 + c5 * s**5


class Trajectory:
    """What the filter sent: points with times on the episode's clock."""

    def __init__(self, points: list[dict]):
        self.points = points

    def position(self, time: float) -> np.ndarray:
        """Joint positions `[4]` at a time; before and after it the ends hold."""
        if time <= self.points[0]["t"]:
            return np.array(self.points[0]["position"])
        for first, second in zip(self.points, self.points[1:]):
            if time <= second["t"]:
                return quintic(first, second, time)
        return np.array(self.points[-1]["position"])


class Filter:
    """`f1 filter` as a process, for one episode at a time."""

    def __init__(self, program: str, robot: Path = ROBOT):
        command = [program, "filter", "--robot", str(robot), "--in", "-", "--out", "-"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.verdicts = {"accepted": 0, "modified": 0, "rejected": 0, "stopped": 0}
        self.trajectory: Trajectory | None = None

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def send(self, now: float, position: np.ndarray, velocity: np.ndarray, rows: np.ndarray):
        """A chunk of waypoints whose row i is due at `now` plus i + 1 steps."""
        request = {
            "now": now,
            "joint_names": JOINTS,
            "position": position.tolist(),
            "velocity": velocity.tolist(),
            "chunk": rows.tolist(),
            "chunk_stamp": now,
            "lock": False,
        }
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("f1 filter has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"f1 filter: {answer['error']}")
        self.verdicts[answer["verdict"]] += 1
        if answer["trajectories"]:
            self.trajectory = joined(answer["trajectories"], now)
        return answer


def joined(trajectories: list[dict], now: float) -> Trajectory:
    """One trajectory of all joints in the order of `JOINTS` from one a controller."""
    points = []
    for together in zip(*(trajectory["points"] for trajectory in trajectories)):
        point = {"t": now + together[0]["t"]}
        for key in ("position", "velocity", "acceleration"):
            by_joint = {
                joint: value
                for trajectory, of_controller in zip(trajectories, together)
                for joint, value in zip(trajectory["joint_names"], of_controller[key])
            }
            point[key] = [by_joint[joint] for joint in JOINTS]
        points.append(point)
    return Trajectory(points)


def broken(positions: np.ndarray, step: float) -> int:
    """Samples `[n, 4]`, `step` seconds apart, that no motion within the limits could have.

    Divided differences of a motion are means of its derivatives, so they keep its limits.
    """
    slack = 1e-6
    outside = (positions < LOWER - slack) | (positions > UPPER + slack)
    speed = np.abs(np.diff(positions, axis=0)) / step
    change = np.abs(np.diff(positions, 2, axis=0)) / step**2
    fast = speed > VELOCITY * (1 + slack) + slack
    sudden = change > ACCELERATION * (1 + slack) + slack
    return int(outside.sum() + fast.sum() + sudden.sum())
