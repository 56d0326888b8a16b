"""Plays MetaWorld with a policy server through openpi-client and says how often it succeeds.

    f1 serve --model f1_metaworld_pi0 --layout metaworld
    evaluate.py --tasks counted --episodes 50 --json out/f1.json

An episode's start, the noise of the policy and so its result follow from the episode's number.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

import tasks
import world
from filtered import Filter, broken, effort_of, grip_of, waypoints
from results import cell, summary


def noise_seed(episode_seed: int, request: int) -> int:
    """Seed of the policy's noise for one request of an episode."""
    return episode_seed * 1000 + request


class Server:
    """A policy behind openpi's protocol."""

    def __init__(self, url: str, api_key: str | None, execute: int | None):
        from openpi_client.websocket_client_policy import WebsocketClientPolicy

        self.client = WebsocketClientPolicy(url, api_key=api_key)
        self.metadata = self.client.get_server_metadata()
        #: Actions of a chunk that are executed before the next is asked for. A history follows
        #: the layout's number.
        self.execute = execute or int(self.metadata.get("steps_between_requests", 1))
        self.milliseconds: list[float] = []
        self.psnr: list[float] = []
        self.requests = 0

    def begin(self, task: tasks.Task, seed: int) -> None:
        self.task, self.seed, self.requests = task, seed, 0

    def chunk(self, scene: world.World) -> np.ndarray:
        """The actions `[execute, 4]` from here."""
        images = scene.images()
        request = {
            "observation/image": images["corner4"],
            "observation/wrist_image": images["gripperPOV"],
            "observation/state": scene.state,
            "prompt": self.task.text,
            "seed": noise_seed(self.seed, self.requests),
            "reset": self.requests == 0,
            "foresight": bool(self.metadata.get("foresees", False)),
        }
        self.requests += 1
        answer = self.client.infer(request)
        self.milliseconds.append(answer["policy_timing"]["infer_ms"])
        if "foresight/psnr" in answer:
            self.psnr.append(float(answer["foresight/psnr"]))
        return np.asarray(answer["actions"], dtype=np.float64)


class Expert:
    """MetaWorld's scripted expert, which knows where things are."""

    execute = 1

    def begin(self, task: tasks.Task, seed: int) -> None:
        self.policy = world.expert(task)

    def chunk(self, scene: world.World) -> np.ndarray:
        return self.policy(scene.observation)[None]


class Random:
    """Actions anywhere in -1..1, a new one every fifth of a second."""

    execute = 4

    def begin(self, task: tasks.Task, seed: int) -> None:
        self.generator = np.random.default_rng([seed, 2])

    def chunk(self, scene: world.World) -> np.ndarray:
        return np.repeat(self.generator.uniform(-1.0, 1.0, (1, 4)), self.execute, axis=0)


class Filtered:
    """Executes chunks through `f1 filter`, and judges what was executed."""

    def __init__(self, program: str):
        self.program = program
        self.verdicts: dict[str, int] = {}
        self.broken = 0

    def play(self, policy, scene: world.World) -> None:
        """Plays an episode that has been reset."""
        step = float(scene.env.dt)
        filter_process = Filter(self.program)
        try:
            # The gripper is open after a reset.
            at = np.array([*scene.hand_target, grip_of(-1.0)])
            executed = [at]
            now = 0.0
            while not scene.done:
                velocity = (executed[-1] - executed[-2]) / step if len(executed) > 1 else 0 * at
                rows = waypoints(at, policy.chunk(scene), world.STEPS)
                filter_process.send(now, at, velocity, rows)
                for _ in range(policy.execute):
                    actions = []
                    for _ in range(world.STEPS):
                        now += step
                        target = filter_process.trajectory.position(now)
                        move = (target[:3] - executed[-1][:3]) / scene.env.action_scale
                        actions.append(np.array([*move, effort_of(target[3])]))
                        executed.append(target)
                    scene.substeps(actions)
                    if scene.done:
                        break
                at = executed[-1].copy()
        finally:
            filter_process.close()
        for verdict, count in filter_process.verdicts.items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count
        self.broken += broken(np.array(executed), step)


def play(policy, scene: world.World) -> None:
    """Plays an episode that has been reset."""
    while not scene.done:
        for action in policy.chunk(scene)[: policy.execute]:
            scene.step(action)
            if scene.done:
                break


def evaluate(policy, chosen, episodes: int, filtered: Filtered | None, draw: bool = True):
    """Whether each episode of each task succeeded, and the actions that it took."""
    successes: dict[str, list[bool]] = {}
    lengths: dict[str, list[int]] = {}
    for task in chosen:
        scene = world.World(task, draw=draw)
        done: list[bool] = []
        taken: list[int] = []
        for number in range(episodes):
            seed = tasks.EVALUATION_SEED + number
            scene.reset(seed)
            policy.begin(task, seed)
            if filtered is None:
                play(policy, scene)
            else:
                filtered.play(policy, scene)
            done.append(bool(scene.success))
            taken.append(scene.actions)
        successes[task.label], lengths[task.label] = done, taken
        entry = summary({task.label: done})["tasks"][task.label]
        print(f"{task.label:30}{cell(entry)}, {np.mean(taken):.0f} actions", flush=True)
        scene.close()
    return successes, lengths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", choices=["server", "expert", "random"], default="server")
    parser.add_argument("--url", default="ws://127.0.0.1:8000", help="of f1 serve")
    parser.add_argument("--api-key", help="of a server on another machine")
    parser.add_argument("--tasks", default="all", help="names, or: counted, all, moving")
    parser.add_argument("--episodes", type=int, default=50, help="of each task")
    parser.add_argument("--execute", type=int, help="actions of a chunk; else what the server says")
    parser.add_argument("--filtered", action="store_true", help="send chunks through f1 filter")
    parser.add_argument("--f1", default="f1", help="the program, for --filtered")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--at-least", type=int, help="fail below so many successes in all")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="Constant.*may be too high")
    if arguments.policy == "server":
        policy = Server(arguments.url, arguments.api_key, arguments.execute)
    else:
        policy = Expert() if arguments.policy == "expert" else Random()
    if arguments.filtered and arguments.policy != "server":
        raise SystemExit("--filtered needs chunks: the policies beside the server have none")
    filtered = Filtered(arguments.f1) if arguments.filtered else None
    begin = time.monotonic()
    chosen = tasks.choose(arguments.tasks)
    draw = arguments.policy == "server"
    successes, lengths = evaluate(policy, chosen, arguments.episodes, filtered, draw)
    out = summary(successes)
    out["policy"] = arguments.policy
    out["seeds"] = [tasks.EVALUATION_SEED, tasks.EVALUATION_SEED + arguments.episodes]
    out["actions"] = lengths
    out["seconds"] = time.monotonic() - begin
    if draw:
        times = np.array(policy.milliseconds)
        out["execute"] = policy.execute
        out["milliseconds"] = {
            "median": float(np.median(times)),
            "p95": float(np.percentile(times, 95)),
            "chunks": len(times),
        }
        if policy.psnr:
            out["foresight_psnr"] = float(np.mean(policy.psnr))
        print(f"{len(times)} chunks, {np.median(times):.1f} ms at the median")
    if filtered:
        out["filter"] = {"verdicts": filtered.verdicts, "limits_broken": filtered.broken}
        print(f"filter: {filtered.verdicts}, limits broken: {filtered.broken}")
    if "counted" in out:
        print(f"{'the counted tasks':30}{cell(out['counted'])}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(out, indent=1))
    total = sum(sum(done) for done in successes.values())
    if arguments.at_least is not None and total < arguments.at_least:
        raise SystemExit(f"{total} successes; {arguments.at_least} are asked for")


if __name__ == "__main__":
    main()
