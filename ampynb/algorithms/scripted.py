"""A fake sampler with the real protocol, for tests of whatever watches a run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import numpy as np

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.analysis.posterior import Posterior

__all__ = ["Scripted"]


class ScriptedState(NamedTuple):
    """The steps done, and the seed of all that follow."""

    seed: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Scripted(Algorithm):
    """Independent standard normal draws at a given speed; compiles nothing.

    Parameters
    ----------
    seconds_per_step : float
        How long each step takes [s].
    fails_at : int, optional
        The step that raises `FloatingPointError`, as a likelihood might.
    """

    seconds_per_step: float = 0.0
    fails_at: int | None = None

    name: ClassVar[str] = "scripted"
    takes_numpy: ClassVar[bool] = True
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 1
    samples_posterior: ClassVar[bool] = False

    def check(self, posterior: Posterior) -> None:
        """Accept every posterior."""

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> ScriptedState:
        """Return the state before the first step; the start plays no part."""
        return ScriptedState(int(jax.random.bits(key, dtype=np.uint32)), 0)

    def template(self, posterior: Posterior) -> ScriptedState:
        """Return a state's structure."""
        return ScriptedState(0, 0)

    def advance(
        self, posterior: Posterior, state: ScriptedState, n: int
    ) -> tuple[ScriptedState, Draws]:
        """Make ``n`` steps, or raise at the scripted one."""
        last = state.step + n
        if self.fails_at is not None and last > self.fails_at:
            raise FloatingPointError(f"scripted failure at step {self.fails_at}")
        time.sleep(n * self.seconds_per_step)
        shape = (self.nwalkers, posterior.model.ndim)
        steps = range(state.step, last)
        position = np.stack(
            [np.random.default_rng([state.seed, i]).normal(size=shape) for i in steps]
        )
        log_likelihood = -0.5 * np.sum(position**2, axis=-1)
        stats = {"lp": log_likelihood, "log_likelihood": log_likelihood}
        phase = self.status(state).phase
        return ScriptedState(state.seed, last), Draws(position, stats, phase)

    def status(self, state: ScriptedState) -> Status:
        """Return how far the script is."""
        return self.status_at(state.step, {"acceptance_rate": 1.0})

    def live(self, state: ScriptedState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)
