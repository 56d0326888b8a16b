"""One MetaWorld task as a policy meets it: two images, four numbers of state, 20 actions a second.

MetaWorld steps at 80 Hz. An action is held for four steps. Only the hand's position and the
gripper's opening are given on; the rest of MetaWorld's observation holds where things are, which
a policy has to see.
"""

from __future__ import annotations

import os

# Drawing in software: no display, no GPU. EGL does as well (MUJOCO_GL=egl).
os.environ.setdefault("MUJOCO_GL", "osmesa")

import metaworld  # noqa: E402
import metaworld.policies  # noqa: E402
import mujoco  # noqa: E402
import numpy as np  # noqa: E402

from motion import Motion  # noqa: E402
from tasks import Task  # noqa: E402

#: Actions a second.
RATE_HZ = 20
#: Simulation steps (12.5 ms) of one action.
STEPS = 4
#: Width and height of an image.
SIZE = 96
#: Actions of one episode: MetaWorld ends an episode after 500 steps.
MOST_ACTIONS = 500 // STEPS
#: Numbers of MetaWorld's observation that are the robot's own: hand x, y, z (m), gripper 0 to 1.
STATE_NAMES = ("hand_x", "hand_y", "hand_z", "gripper")
#: Hand velocity (1 is 0.8 m/s) and gripper effort (1 closes).
ACTION_NAMES = ("hand_dx", "hand_dy", "hand_dz", "gripper_effort")
#: The camera of the history, and the one at the gripper.
CAMERAS = ("corner4", "gripperPOV")


class World:
    """A task. `reset` begins an episode, `step` executes one action."""

    def __init__(self, task: Task, size: int = SIZE, draw: bool = True):
        name = f"{task.name}-v3"
        benchmark = metaworld.MT1(name, seed=0)
        self.task = task
        self.env = benchmark.train_classes[name]()
        self._first = benchmark.train_tasks[0]
        self.renderer = None
        if draw:
            # Multisampling and shadows are nine tenths of the time of an image this small.
            self.env.model.vis.quality.offsamples = 0
            self.renderer = mujoco.Renderer(self.env.model, size, size)
        self.observation = np.zeros(39)
        self.actions = 0
        self.success = False
        self._motion: Motion | None = None

    def reset(self, seed: int) -> None:
        """Begins the episode of this seed. MetaWorld's own `reset(seed=)` ignores its seed."""
        env = self.env
        # Draws that the task makes beside its own generator.
        np.random.seed(seed % 2**32)
        env.set_task(self._first)
        env._freeze_rand_vec = False
        env.seeded_rand_vec = True
        env.seed(seed)
        # Forces of the episode before would begin this one.
        mujoco.mj_resetData(env.model, env.data)
        self.observation, _ = env.reset()
        self._motion = Motion(env, self.task.name, seed) if self.task.moving else None
        self.actions = 0
        self.success = False

    def close(self) -> None:
        """Frees the renderer. Of several worlds none may be freed while another draws."""
        if self.renderer is not None:
            self.renderer.close()
            self.renderer = None

    @property
    def state(self) -> np.ndarray:
        """Hand position in metres and gripper opening, float32 `[4]`."""
        return self.observation[:4].astype(np.float32)

    @property
    def hand_target(self) -> np.ndarray:
        """Where the hand is being drawn to, metres `[3]`: an action moves this point."""
        return self.env.data.mocap_pos[0].copy()

    @property
    def hand_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of `hand_target`."""
        return self.env.mocap_low.copy(), self.env.mocap_high.copy()

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.success or self.actions >= MOST_ACTIONS

    def image(self, camera: str) -> np.ndarray:
        """What a camera sees, uint8 `[size, size, 3]`, upright."""
        scene = self.renderer.scene
        self.renderer.update_scene(self.env.data, camera=camera)
        scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        image = self.renderer.render()
        # This camera hangs upside down.
        return np.ascontiguousarray(image[::-1, ::-1] if camera == "corner4" else image)

    def images(self) -> dict[str, np.ndarray]:
        """Both images by camera."""
        return {camera: self.image(camera) for camera in CAMERAS}

    def step(self, action: np.ndarray) -> bool:
        """Executes an action for a twentieth of a second; whether the task is done."""
        action = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        return self.substeps([action] * STEPS)

    def substeps(self, actions: list[np.ndarray]) -> bool:
        """Executes one action a simulation step; whether the task is done at the end of any."""
        for action in actions:
            if self._motion is not None:
                self._motion.advance(float(self.env.dt))
            self.observation, _, _, truncated, info = self.env.step(np.asarray(action))
            self.success = self.success or info["success"] > 0.5
            if truncated:
                break
        self.actions += 1
        return self.success


def expert(task: Task):
    """The scripted expert: a function from `World.observation` to an action `[4]` in -1..1."""
    policy = getattr(metaworld.policies, task.expert)()
    return lambda observation: np.clip(policy.get_action(observation), -1.0, 1.0)
