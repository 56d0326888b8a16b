"""Claims about the pieces of this folder: `python -m unittest -v` in it."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import demonstrate
import evaluate
import filtered
import lerobot_writer
import motion
import results
import tasks
import world

warnings.filterwarnings("ignore", message="Constant.*may be too high")


class Results(unittest.TestCase):
    def test_intervals_are_wilsons(self):
        # Newcombe 1998, table I: method 3 (the score method without continuity correction).
        for successes, episodes, low, high in (
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ):
            found = results.wilson(successes, episodes)
            self.assertAlmostEqual(found[0], low, 4)
            self.assertAlmostEqual(found[1], high, 4)

    def test_more_successes_than_episodes_are_refused(self):
        for successes, episodes in ((3, 2), (0, 0), (-1, 4)):
            with self.assertRaises(ValueError):
                results.wilson(successes, episodes)

    def test_the_mean_is_over_the_eight_tasks_and_only_when_all_were_played(self):
        played = {task.label: [True, False] for task in tasks.TASKS if task.counted}
        played["reach"] = [True, True]
        out = results.summary(played)
        self.assertEqual(out["counted"]["successes"], 8)
        self.assertEqual(out["counted"]["episodes"], 16)
        del played["drawer-open"]
        self.assertNotIn("counted", results.summary(played))

    def test_the_table_leaves_a_cell_empty_where_nothing_was_played(self):
        one = results.summary({"reach": [True]})
        two = results.summary({"push": [False]})
        lines = results.table({"a": one, "b": two}).splitlines()
        self.assertEqual(lines[2], "| reach | 1 of 1 (0.21 to 1.00) |  |")
        self.assertEqual(lines[3], "| push |  | 0 of 1 (0.00 to 0.79) |")


class Tasks(unittest.TestCase):
    def test_eight_tasks_are_counted_and_instructions_differ(self):
        self.assertEqual(sum(task.counted for task in tasks.TASKS), 8)
        self.assertEqual(len({task.text for task in tasks.TASKS}), 12)

    def test_groups_and_names_choose_each_task_once(self):
        chosen = tasks.choose("reach,all,reach-moving")
        self.assertEqual(len(chosen), 13)
        self.assertEqual(chosen[0].name, "reach")
        with self.assertRaises(ValueError):
            tasks.choose("no-such-task")


class Moving(unittest.TestCase):
    def test_it_turns_round_at_the_bound_and_keeps_its_speed(self):
        position, velocity = motion.turned(0.11, 0.1, 0.2)
        # 1 cm to the bound, 1 cm back.
        self.assertAlmostEqual(position, 0.11)
        self.assertEqual(velocity, -0.1)
        position, velocity = motion.turned(-0.11, -0.1, 0.2)
        self.assertAlmostEqual(position, -0.11)
        self.assertEqual(velocity, 0.1)
        self.assertEqual(motion.turned(0.0, 0.1, 0.5), (0.05, 0.1))

    def test_what_moves_is_seen_by_the_expert_and_by_the_success(self):
        for label, index in (("button-press-topdown-moving", 4), ("reach-moving", 36)):
            scene = world.World(tasks.find(label), draw=False)
            scene.reset(5)
            goal = scene.env._target_pos.copy()
            scene.step(np.zeros(4))
            seen = scene.observation.copy()
            for _ in range(4):
                scene.step(np.zeros(4))
            moved = scene.observation[index] - seen[index]
            # Four actions of a twentieth of a second, at 4 to 12 cm/s.
            self.assertGreater(abs(moved), 0.9 * 0.2 * motion.SPEEDS[0])
            self.assertLess(abs(moved), 1.1 * 0.2 * motion.SPEEDS[1])
            self.assertGreater(abs(scene.env._target_pos[0] - goal[0]), 0.25 * 0.04)

    def test_an_episode_after_another_begins_where_the_seed_says(self):
        scene = world.World(tasks.find("button-press-topdown-moving"), draw=False)
        scene.reset(5)
        first = scene.observation.copy()
        for _ in range(6):
            scene.step(np.ones(4))
        scene.reset(5)
        np.testing.assert_array_equal(scene.observation, first)


class Worlds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = world.World(tasks.find("drawer-close"))

    @classmethod
    def tearDownClass(cls):
        cls.scene.close()

    def test_a_seed_gives_one_start_and_another_seed_another(self):
        self.scene.reset(1)
        first = self.scene.observation.copy()
        image = self.scene.image("corner4")
        self.scene.reset(2)
        self.assertGreater(np.abs(self.scene.observation - first).max(), 1e-3)
        self.scene.step(np.ones(4))
        self.scene.reset(1)
        np.testing.assert_array_equal(self.scene.observation, first)
        np.testing.assert_array_equal(self.scene.image("corner4"), image)

    def test_the_state_is_the_robots_own_and_nothing_else(self):
        self.scene.reset(1)
        hand = self.scene.env.data.body("hand").xpos
        np.testing.assert_allclose(self.scene.state[:3], hand, atol=1e-6)
        self.assertEqual(self.scene.state.shape, (4,))

    def test_an_action_is_clipped_and_held_for_four_steps(self):
        self.scene.reset(1)
        before = self.scene.hand_target
        self.scene.step([3.0, 0.5, 0.0, 0.0])
        moved = self.scene.hand_target - before
        np.testing.assert_allclose(moved, [0.04, 0.02, 0.0], atol=1e-9)
        self.assertEqual(self.scene.env.curr_path_length, 4)

    def test_images_are_upright(self):
        # The table is brown and below, the wall is grey and above.
        self.scene.reset(1)
        image = self.scene.image("corner4").astype(int)
        redness = image[:, :, 0] - image[:, :, 2]
        self.assertGreater(redness[60:, 40:].mean(), redness[:15, 40:].mean() + 10)

    def test_the_expert_does_it_and_standing_still_does_not(self):
        expert = world.expert(self.scene.task)
        self.scene.reset(4)
        while not self.scene.done:
            self.scene.step(expert(self.scene.observation))
        self.assertTrue(self.scene.success)
        self.assertLess(self.scene.actions, world.MOST_ACTIONS)
        self.scene.reset(4)
        while not self.scene.done:
            self.scene.step(np.zeros(4))
        self.assertFalse(self.scene.success)
        self.assertEqual(self.scene.actions, world.MOST_ACTIONS)


class Demonstrations(unittest.TestCase):
    def test_what_is_written_is_the_expert_and_what_is_executed_is_disturbed(self):
        scene = world.World(tasks.find("window-open"), draw=False)
        expert = world.expert(scene.task)
        executed = []
        step = scene.step
        scene.step = lambda action: executed.append(np.array(action)) or step(action)
        disturbance = demonstrate.Disturbance(0.15, 0.0)
        frames, success = demonstrate.play(scene, expert, 3, disturbance, draw=False)
        self.assertTrue(success)
        written = np.array([frame["action"] for frame in frames])
        self.assertLessEqual(np.abs(written).max(), 1.0)
        noise = np.array(executed) - written
        self.assertGreater(noise.std(), 0.1)
        self.assertLess(noise.std(), 0.2)
        # The first label is what the expert says of the start, without noise.
        scene.reset(3)
        np.testing.assert_allclose(written[0], expert(scene.observation), atol=1e-6)

    def test_a_push_leaves_the_gripper_alone(self):
        scene = world.World(tasks.find("reach"), draw=False)
        executed = []
        step = scene.step
        scene.step = lambda action: executed.append(np.array(action)) or step(action)
        pushed = demonstrate.Disturbance(0.0, 1.0)
        still = lambda observation: np.zeros(4)  # noqa: E731
        demonstrate.play(scene, still, 8, pushed, draw=False)
        moved = [action for action in executed if np.abs(action).max() > 0]
        self.assertEqual(len(moved), demonstrate.PUSH_STEPS)
        self.assertTrue(all(action[3] == 0 for action in moved))


class DataSets(unittest.TestCase):
    def test_rows_episodes_and_description_agree(self):
        generator = np.random.default_rng(0)
        frames = [
            {
                "state": generator.normal(size=4),
                "action": generator.normal(size=4),
                "images": {"a": generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)},
            }
            for _ in range(5)
        ]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            writer = lerobot_writer.Writer(root, 20, {"a": 8}, "wxyz", "abcd")
            writer.add_episode("one", frames)
            writer.add_episode("two", frames[:2])
            writer.close()
            rows = pq.read_table(root / "data/chunk-000/file-000.parquet").to_pylist()
            episodes = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet")
            info = json.loads((root / "meta/info.json").read_text())
            statistics = json.loads((root / "meta/stats.json").read_text())
            with self.assertRaises(FileExistsError):
                lerobot_writer.Writer(root, 20, {"a": 8}, "wxyz", "abcd")
        self.assertEqual([row["index"] for row in rows], list(range(7)))
        self.assertEqual([row["frame_index"] for row in rows], [0, 1, 2, 3, 4, 0, 1])
        self.assertEqual([row["task_index"] for row in rows], [0] * 5 + [1] * 2)
        self.assertAlmostEqual(rows[3]["timestamp"], 0.15)
        np.testing.assert_allclose(rows[3]["action"], frames[3]["action"], rtol=1e-6)
        from io import BytesIO

        from PIL import Image

        decoded = np.asarray(Image.open(BytesIO(rows[3]["a"]["bytes"])))
        np.testing.assert_array_equal(decoded, frames[3]["images"]["a"])
        self.assertEqual(episodes.column("dataset_from_index").to_pylist(), [0, 5])
        self.assertEqual(episodes.column("length").to_pylist(), [5, 2])
        self.assertEqual((info["total_frames"], info["total_episodes"]), (7, 2))
        all_actions = np.array([row["action"] for row in rows])
        np.testing.assert_allclose(statistics["action"]["std"], all_actions.std(0), rtol=1e-5)

    def test_an_image_of_another_size_is_refused(self):
        frame = {"state": [0] * 4, "action": [0] * 4, "images": {"a": np.zeros((9, 8, 3), "u1")}}
        with tempfile.TemporaryDirectory() as folder:
            writer = lerobot_writer.Writer(Path(folder) / "set", 20, {"a": 8}, "wxyz", "abcd")
            with self.assertRaises(ValueError):
                writer.add_episode("one", [frame])


class InTheFilter(unittest.TestCase):
    def test_the_limits_are_those_of_the_robots_files(self):
        folder = Path(filtered.__file__).parent
        urdf = (folder / "mocap_hand.urdf").read_text()
        found = re.findall(r'lower="(\S+)" upper="(\S+)" velocity="(\S+)"', urdf)
        lower, upper, velocity = np.array(found, dtype=float).T
        np.testing.assert_array_equal(lower, filtered.LOWER)
        np.testing.assert_array_equal(upper, filtered.UPPER)
        np.testing.assert_array_equal(velocity, filtered.VELOCITY)
        robot = (folder / "mocap_hand.yaml").read_text()
        acceleration = [float(x) for x in re.findall(r"\{acceleration: (\S+),", robot)]
        np.testing.assert_array_equal(acceleration, filtered.ACCELERATION)
        # The environment's own.
        scene = world.World(tasks.find("reach"), draw=False)
        low, high = scene.hand_bounds
        np.testing.assert_array_equal(low, filtered.LOWER[:3])
        np.testing.assert_array_equal(high, filtered.UPPER[:3])
        self.assertEqual(scene.env.action_scale, filtered.STRIDE)
        self.assertAlmostEqual(filtered.STRIDE / scene.env.dt, filtered.VELOCITY[0])

    def test_waypoints_are_where_the_environment_would_put_its_point(self):
        scene = world.World(tasks.find("reach"), draw=False)
        scene.reset(2)
        start = scene.hand_target
        chunk = np.random.default_rng(1).uniform(-2, 2, (8, 4))
        chunk[:, 2] = -1.0
        rows = filtered.waypoints(start, chunk, world.STEPS)
        for action, row in zip(chunk, rows):
            scene.step(action)
            np.testing.assert_allclose(scene.hand_target, row[:3], atol=1e-9)
        # The point has come to its lower bound, so clipping was tried.
        self.assertEqual(rows[-1, 2], filtered.LOWER[2])

    def test_gripper_efforts_come_back(self):
        for effort in (-1.0, -0.3, 0.0, 0.8, 1.0):
            self.assertAlmostEqual(filtered.effort_of(filtered.grip_of(effort)), effort)

    def test_a_quintic_meets_its_ends_and_a_known_polynomial(self):
        at = lambda t: [t**5 - 2 * t**3 + t, 3 * t**2, 0, 1]  # noqa: E731
        speed = lambda t: [5 * t**4 - 6 * t**2 + 1, 6 * t, 0, 0]  # noqa: E731
        change = lambda t: [20 * t**3 - 12 * t, 6, 0, 0]  # noqa: E731
        points = [
            {"t": t, "position": at(t), "velocity": speed(t), "acceleration": change(t)}
            for t in (0.5, 1.25)
        ]
        trajectory = filtered.Trajectory(points)
        for t in (0.5, 0.8, 1.0, 1.25):
            np.testing.assert_allclose(trajectory.position(t), at(t), atol=1e-9)
        np.testing.assert_allclose(trajectory.position(9.0), at(1.25), atol=1e-9)

    def test_the_judge_sees_what_breaks_a_limit_and_nothing_else(self):
        step = 0.0125
        time = np.arange(0, 1, step)
        positions = np.tile([0.0, 0.6, 0.2, 0.02], (len(time), 1))
        # 0.1 m at 1 Hz: 0.63 m/s and 3.9 m/s² at most.
        positions[:, 0] = 0.1 * np.sin(2 * math.pi * time)
        self.assertEqual(filtered.broken(positions, step), 0)
        jump = positions.copy()
        jump[40:, 1] += 0.02
        self.assertGreater(filtered.broken(jump, step), 0)
        outside = positions.copy()
        outside[:, 2] = 0.04
        self.assertEqual(filtered.broken(outside, step), len(time))


class Jerky:
    """Chunks of 8 random actions."""

    execute = 4

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def chunk(self, scene):
        return self.generator.uniform(-1, 1, (8, 4))


PROGRAM = os.environ.get("F1_PROGRAM", "f1")


@unittest.skipUnless(shutil.which(PROGRAM), "needs the program f1, or its path in F1_PROGRAM")
class WithTheProgram(unittest.TestCase):
    def test_random_chunks_break_limits_and_through_the_filter_none(self):
        scene = world.World(tasks.find("reach"), draw=False)
        scene.reset(1)
        policy = Jerky()
        executed = []
        for _ in range(5):
            for action in policy.chunk(scene)[:4]:
                for _ in range(world.STEPS):
                    scene.substeps([action])
                    executed.append([*scene.hand_target, filtered.grip_of(action[3])])
        self.assertGreater(filtered.broken(np.array(executed), scene.env.dt), 0)
        scene.reset(1)
        guard = evaluate.Filtered(PROGRAM)
        guard.play(Jerky(), scene)
        self.assertEqual(guard.broken, 0)
        self.assertEqual(scene.actions, world.MOST_ACTIONS)
        self.assertGreater(guard.verdicts["modified"], 0)
        self.assertEqual(guard.verdicts["rejected"] + guard.verdicts["stopped"], 0)
        self.assertGreater(np.abs(scene.hand_target - [0, 0.6, 0.2]).max(), 0.02)


class Harness(unittest.TestCase):
    def test_vla_eval_plays_the_episodes_of_evaluate(self):
        from vla_eval_benchmark import MetaWorld

        bench = MetaWorld(tasks="coffee-button")
        task = {**bench.get_tasks()[0], "episode_idx": 2}
        seed = tasks.EVALUATION_SEED + 2
        seen = bench.make_obs(bench.reset(task), task)
        scene = world.World(tasks.find("coffee-button"), draw=False)
        scene.reset(seed)
        np.testing.assert_array_equal(seen["state"], scene.state)
        self.assertEqual(seen["seed"], evaluate.noise_seed(seed, 0))
        self.assertEqual(seen["task_description"], "Push a button on the coffee machine")
        expert = world.expert(scene.task)
        while True:
            result = bench.step({"actions": expert(bench._scene.observation)})
            if bench.check_done(result):
                break
        self.assertTrue(bench.get_step_result(result)["success"])
        # The fifth action belongs to the second chunk.
        again = bench.reset(task)
        for _ in range(4):
            bench.step({"actions": np.zeros(4)})
        self.assertEqual(bench.make_obs(again, task)["seed"], evaluate.noise_seed(seed, 1))
        bench.cleanup()


class Evaluation(unittest.TestCase):
    def test_experts_succeed_and_the_same_seeds_give_the_same_episodes(self):
        chosen = [tasks.find("coffee-button")]
        first = evaluate.evaluate(evaluate.Expert(), chosen, 3, None, draw=False)
        again = evaluate.evaluate(evaluate.Expert(), chosen, 3, None, draw=False)
        self.assertEqual(first, again)
        self.assertEqual(first[0]["coffee-button"], [True] * 3)

    def test_no_start_of_evaluation_is_demonstrated(self):
        self.assertGreater(tasks.EVALUATION_SEED, tasks.DEMONSTRATION_SEED + 100_000)


if __name__ == "__main__":
    unittest.main()
