"""What each chain and each temperature says of itself, as it comes."""

from __future__ import annotations

import numpy as np

from ampynb.algorithms.algorithm import Draws

__all__ = ["Tally"]

OF_CHAINS = ("accepted", "acceptance_rate", "diverging", "n_steps", "step_size")
OF_TEMPERATURES = ("beta", "swap_rate", "log_likelihood_mean")


class Tally:
    """Sums over the steps of a phase, and their last values, by ArviZ's names.

    Those of chains are (nwalkers,), those of temperatures of the ladder's shape.
    """

    def __init__(self):
        self.steps = 0
        self._sums: dict[str, np.ndarray] = {}
        self._last: dict[str, np.ndarray] = {}

    def copy(self) -> Tally:
        """Return a tally that goes on from here, and leaves this one as it is."""
        other = Tally()
        other.steps = self.steps
        other._sums, other._last = dict(self._sums), dict(self._last)
        return other

    def take(self, draws: Draws) -> None:
        """Count the draws of some further steps."""
        kept = {name: draws.stats.get(name) for name in OF_CHAINS}
        kept |= {name: draws.step_stats.get(name) for name in OF_TEMPERATURES}
        for name, values in kept.items():
            if values is not None and len(values):
                total = np.asarray(values).sum(axis=0)
                # New arrays: whoever reads the old ones does so in another thread.
                self._sums[name] = self._sums.get(name, 0) + total
                self._last[name] = np.array(values[-1])
        self.steps += len(draws.position)

    def total(self, name: str) -> np.ndarray | None:
        """Return the sum over the steps so far; None for what is not known."""
        return self._sums.get(name)

    def mean(self, name: str) -> np.ndarray | None:
        """Return the mean over the steps so far; None for what is not known."""
        total = self.total(name)
        return None if total is None else total / max(self.steps, 1)

    def last(self, name: str) -> np.ndarray | None:
        """Return the values at the last step; None for what is not known."""
        return self._last.get(name)
