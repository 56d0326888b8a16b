"""The tasks, their instructions, and the seeds that are kept apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One task of MetaWorld."""

    #: MetaWorld's name.
    name: str
    #: The instruction, as LeRobot's wrapper of MetaWorld gives it.
    text: str
    #: The class of `metaworld.policies` that does it.
    expert: str
    #: Counted in the table's mean; the others are reported beside it.
    counted: bool = True
    #: Something moves by itself, see `motion.py`.
    moving: bool = False

    @property
    def label(self) -> str:
        """The name in tables and files."""
        return f"{self.name}-moving" if self.moving else self.name


TASKS = (
    Task("drawer-open", "Open a drawer", "SawyerDrawerOpenV3Policy"),
    Task("drawer-close", "Push and close a drawer", "SawyerDrawerCloseV3Policy"),
    Task(
        "button-press-topdown",
        "Press a button from the top",
        "SawyerButtonPressTopdownV3Policy",
    ),
    Task("window-open", "Push and open a window", "SawyerWindowOpenV3Policy"),
    Task("window-close", "Push and close a window", "SawyerWindowCloseV3Policy"),
    Task("faucet-open", "Rotate the faucet counter-clockwise", "SawyerFaucetOpenV3Policy"),
    Task("coffee-button", "Push a button on the coffee machine", "SawyerCoffeeButtonV3Policy"),
    Task("plate-slide", "Slide a plate into a cabinet", "SawyerPlateSlideV3Policy"),
    Task("door-open", "Open a door with a revolving joint", "SawyerDoorOpenV3Policy", False),
    Task("reach", "Reach a goal position", "SawyerReachV3Policy", False),
    Task("pick-place", "Pick and place a puck to a goal", "SawyerPickPlaceV3Policy", False),
    Task("push", "Push the puck to a goal", "SawyerPushV3Policy", False),
)

#: The same instructions while something moves by itself.
MOVING = tuple(
    Task(task.name, task.text, task.expert, False, True)
    for task in TASKS
    if task.name in ("button-press-topdown", "coffee-button", "reach")
)

#: Demonstrations begin at this seed, evaluation at the other: no start is in both.
DEMONSTRATION_SEED = 0
EVALUATION_SEED = 1_000_000


def find(label: str) -> Task:
    """The task with this label (`push`, `reach-moving`)."""
    for task in (*TASKS, *MOVING):
        if task.label == label:
            return task
    known = ", ".join(task.label for task in (*TASKS, *MOVING))
    raise ValueError(f"no task {label!r}; there are {known}")


def choose(names: str) -> list[Task]:
    """Tasks of a list with commas; `counted`, `all` and `moving` are groups."""
    groups = {
        "counted": [task for task in TASKS if task.counted],
        "all": list(TASKS),
        "moving": list(MOVING),
    }
    chosen: list[Task] = []
    for name in names.split(","):
        for task in groups.get(name) or [find(name)]:
            if task not in chosen:
                chosen.append(task)
    return chosen
