"""MetaWorld for the harness `vla-eval`: the same episodes as evaluate.py plays.

    PYTHONPATH=benchmarks/metaworld vla-eval run --no-docker \\
      --config benchmarks/metaworld/vla_eval.yaml
"""

from __future__ import annotations

import os
from typing import Any

from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec


class MetaWorld(StepBenchmark):
    """Tasks of MetaWorld, one action a twentieth of a second.

    Args:
        tasks: names with commas, or the groups `counted`, `all`, `moving`.
        execute: what `f1 serve --chunk-steps` says; the seeds of the policy's noise are then those
            of evaluate.py, and so are the episodes.
        send_state: whether the hand and the gripper are sent.
    """

    render_backends = frozenset({"gpu", "cpu"})

    @classmethod
    def configure_render(cls, mode: str) -> dict[str, str]:
        """Software drawing for `cpu`, EGL for `gpu`."""
        chosen = {"MUJOCO_GL": "osmesa" if mode == "cpu" else "egl"}
        os.environ.update(chosen)
        return chosen

    def __init__(
        self, tasks: str = "counted", execute: int = 4, send_state: bool = True
    ) -> None:
        super().__init__()
        import tasks as task_list

        self._chosen = task_list.choose(tasks)
        self._seed = task_list.EVALUATION_SEED
        self._find = task_list.find
        self._execute = execute
        self._send_state = send_state
        self._episode_seed = self._seed
        self._scene: Any = None

    def cleanup(self) -> None:
        if self._scene is not None:
            self._scene.close()
            self._scene = None

    def get_tasks(self) -> list[dict[str, Any]]:
        return [{"name": task.label, "suite": "metaworld"} for task in self._chosen]

    def reset(self, task: dict[str, Any]) -> Any:
        import world

        wanted = self._find(task["name"])
        if self._scene is None or self._scene.task != wanted:
            self.cleanup()
            self._scene = world.World(wanted)
        self._episode_seed = self._seed + int(task.get("episode_idx", 0))
        self._scene.reset(self._episode_seed)
        return self._scene

    def step(self, action: dict[str, Any]) -> StepResult:
        self._scene.step(action["actions"])
        info = {"success": bool(self._scene.success)}
        return StepResult(self._scene, float(self._scene.success), self._scene.done, info)

    def make_obs(self, raw_obs: Any, task: dict[str, Any]) -> dict[str, Any]:
        import evaluate

        images = raw_obs.images()
        observation = {
            "images": {"corner4": images["corner4"], "gripper": images["gripperPOV"]},
            "task_description": raw_obs.task.text,
            "seed": evaluate.noise_seed(self._episode_seed, raw_obs.actions // self._execute),
        }
        if self._send_state:
            observation["state"] = raw_obs.state
        return observation

    def get_step_result(self, step_result: StepResult) -> dict[str, Any]:
        return {"success": bool(step_result.info.get("success", False))}

    def get_metadata(self) -> dict[str, Any]:
        import world

        return {"max_steps": world.MOST_ACTIONS}

    def get_action_spec(self) -> dict[str, DimSpec]:
        return {"actions": DimSpec("actions", 4, "raw", (-1.0, 1.0))}

    def get_observation_spec(self) -> dict[str, DimSpec]:
        return {
            "image": IMAGE_RGB,
            "state": DimSpec("state", 4, "raw"),
            "language": LANGUAGE,
        }
