"""The optimiser at work in an explorer."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ampynb.algorithms.optimise import Optimum, maximise
from ampynb.analysis.posterior import Posterior
from ampynb.widgets.point import Point

__all__ = ["Climb"]

SECONDS_PER_PICTURE = 0.1


class Climb:
    """One optimisation, that shows its way and can be stopped.

    Parameters
    ----------
    show : callable
        Takes a point on the way and shows it; returns whether to go on.
    """

    def __init__(self, show: Callable[[Point], bool]):
        self._show = show
        self._stopped = False

    def stop(self) -> None:
        """End it after its present step."""
        self._stopped = True

    def from_point(self, posterior: Posterior, begun: Point) -> Optimum:
        """Climb from a point on."""
        last = time.monotonic()

        def on_step(vector: np.ndarray) -> bool:
            nonlocal last
            if time.monotonic() - last < SECONDS_PER_PICTURE:
                return self._stopped
            last = time.monotonic()
            return not self._show(begun.at_vector(vector)) or self._stopped

        return maximise(posterior, begun.vector, on_step)
