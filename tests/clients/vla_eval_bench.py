"""A benchmark of the test's own for `vla-eval run`: it shows what the test repeats in Rust.

An observation follows from the number of its step alone. Each action is kept; an episode succeeds
when every action was one that an arm of eight joints could take.
"""

import json

import numpy as np
from openpi_requests import image
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec

STEPS = 10


class Bench(StepBenchmark):
    render_backends = frozenset({"gpu", "cpu"})

    def __init__(self, log, send_state=False, send_wrist_image=False):
        super().__init__()
        # The server asks for both when it is greeted.
        assert send_state and send_wrist_image
        self.log = log
        self.number = 0
        self.good = True

    @classmethod
    def configure_render(cls, mode):
        return {}

    def get_tasks(self):
        return [{"name": "red", "word": "red"}, {"name": "blue", "word": "blue"}]

    def get_action_spec(self):
        return {"actions": DimSpec("actions", 8, "raw")}

    def get_observation_spec(self):
        state = DimSpec("state", 8, "raw")
        return {"image": IMAGE_RGB, "state": state, "language": LANGUAGE}

    def get_metadata(self):
        return {"max_steps": STEPS}

    def reset(self, task):
        self.number, self.good = 0, True
        return self.number

    def step(self, action):
        actions = np.asarray(action["actions"])
        self.good &= actions.shape == (8,) and bool(np.isfinite(actions).all())
        with open(self.log, "a", encoding="utf-8") as log:
            line = {"task": self._task["name"], "step": self.number, "actions": actions.tolist()}
            print(json.dumps(line), file=log)
        self.number += 1
        return StepResult(obs=self.number, reward=0.0, done=self.number == STEPS, info={})

    def make_obs(self, raw_obs, task):
        return {
            "images": {"front": image(raw_obs, 0), "wrist": image(raw_obs, 1)},
            "state": np.arange(8, dtype=np.float32) * 0.05 + 0.01 * raw_obs,
            "task_description": f"pick up the {task['word']} cube",
            "seed": 7,
        }

    def get_step_result(self, step_result):
        return {"success": self.good and step_result.done}
