"""Demonstrations of MetaWorld's scripted experts, as a LeRobot data set.

    demonstrate.py data/metaworld --episodes 50

What is executed is the expert's action with noise, what is written down is the action without: so
the data show how to come back. Only episodes that succeed are kept.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tasks
import world
from lerobot_writer import Writer

#: Columns of the two cameras.
COLUMNS = {
    "corner4": "observation.images.corner4",
    "gripperPOV": "observation.images.gripper",
}


@dataclass(frozen=True)
class Disturbance:
    """What happens to an action before it is executed."""

    #: Deviation of the noise of every action.
    sigma: float = 0.15
    #: Share of episodes with one push: `PUSH_STEPS` actions that go somewhere else.
    pushes: float = 0.3


PUSH_STEPS = 4
#: A push begins within so many actions.
PUSH_WITHIN = 16
#: Frames after success, in which the expert goes on: so the last chunks are whole.
AFTER = 4


def play(scene, expert, seed: int, disturbance: Disturbance, draw: bool = True):
    """One episode: its frames, and whether the expert did it."""
    scene.reset(seed)
    generator = np.random.default_rng([seed, 1])
    pushed = generator.random() < disturbance.pushes
    begin = int(generator.integers(PUSH_WITHIN)) if pushed else world.MOST_ACTIONS
    push = generator.uniform(-1.0, 1.0, 4)
    frames: list[dict] = []
    after = 0
    while scene.actions < world.MOST_ACTIONS and after < AFTER:
        after += scene.success
        label = expert(scene.observation).astype(np.float32)
        images = {}
        if draw:
            images = {COLUMNS[name]: image for name, image in scene.images().items()}
        frames.append({"state": scene.state, "action": label, "images": images})
        executed = label + generator.normal(0.0, disturbance.sigma, 4)
        if begin <= scene.actions < begin + PUSH_STEPS:
            # The gripper is left as it is: what it holds is not thrown away.
            executed[:3] = push[:3]
        scene.step(executed)
    return frames, scene.success


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of the data set, which must not exist")
    parser.add_argument("--episodes", type=int, default=50, help="of each task")
    parser.add_argument("--tasks", default="all,moving", help="names, or: counted, all, moving")
    parser.add_argument("--seed", type=int, default=tasks.DEMONSTRATION_SEED)
    parser.add_argument("--sigma", type=float, default=Disturbance.sigma)
    parser.add_argument("--pushes", type=float, default=Disturbance.pushes)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="Constant.*may be too high")
    cameras = {column: world.SIZE for column in COLUMNS.values()}
    writer = Writer(
        arguments.output, world.RATE_HZ, cameras, world.STATE_NAMES, world.ACTION_NAMES
    )
    disturbance = Disturbance(arguments.sigma, arguments.pushes)
    begin = time.monotonic()
    chosen = tasks.choose(arguments.tasks)
    scenes = [(task, world.World(task), world.expert(task)) for task in chosen]
    tried = {task.label: 0 for task in chosen}
    kept = {task.label: 0 for task in chosen}
    # Task after task in turn, so that every part of the data set holds all of them.
    for number in range(2 * arguments.episodes):
        for task, scene, policy in scenes:
            if kept[task.label] == arguments.episodes:
                continue
            seed = arguments.seed + number
            if seed >= tasks.EVALUATION_SEED:
                raise SystemExit("this seed belongs to evaluation")
            tried[task.label] += 1
            frames, success = play(scene, policy, seed, disturbance)
            if success:
                writer.add_episode(task.text, frames)
                kept[task.label] += 1
    writer.close()
    seconds = time.monotonic() - begin
    for task in chosen:
        label = task.label
        print(f"{label:30}{kept[label]:5} of {tried[label]} episodes")
    print(f"{len(writer.episodes)} episodes, {writer.frames} frames, {seconds:.0f} s")


if __name__ == "__main__":
    main()
