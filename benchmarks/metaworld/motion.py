"""Things that move by themselves: the variant that asks a policy to look ahead.

The button's box, the coffee machine or the goal of `reach` goes sideways at a constant speed and
turns round at its bounds. The experts read where it is and follow it, so they still can do it; a
policy sees in one image where it is and only in several where it goes.
"""

from __future__ import annotations

import numpy as np

#: Metres a second; both directions.
SPEEDS = (0.04, 0.12)
#: Metres from the middle at which it turns round.
REACH = 0.12

#: The body that moves; `None` is the goal itself, which has no body.
BODIES = {"button-press-topdown": "box", "coffee-button": "coffee_machine", "reach": None}


def turned(position: float, velocity: float, seconds: float) -> tuple[float, float]:
    """Position and velocity after `seconds`, turning round at `-REACH` and `REACH`."""
    position += velocity * seconds
    if abs(position) > REACH:
        position = np.sign(position) * (2 * REACH - abs(position))
        velocity = -velocity
    return float(position), float(velocity)


class Motion:
    """The motion of one episode, along the table's x axis."""

    def __init__(self, env, task_name: str, seed: int):
        generator = np.random.default_rng([seed, 77])
        self.env = env
        self.body = BODIES[task_name]
        speed = generator.uniform(*SPEEDS)
        self.velocity = float(speed if generator.random() < 0.5 else -speed)
        self.position = float(self._array()[0])

    def _array(self) -> np.ndarray:
        if self.body is None:
            return self.env._target_pos
        return self.env.model.body(self.body).pos

    def advance(self, seconds: float) -> None:
        """Moves it by what `seconds` bring."""
        # A start beyond the bounds is moved from there.
        self.position, self.velocity = turned(self.position, self.velocity, seconds)
        array = self._array()
        before = float(array[0])
        array[0] = self.position
        if self.body is None:
            self.env.model.site("goal").pos[0] = self.position
        else:
            # The goal of a button is a place of its box.
            self.env._target_pos[0] += self.position - before
