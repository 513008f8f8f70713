"""A sampler whose autocorrelation time is known, for tests of what judges chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from ampynb.algorithms.algorithm import Draws, Start
from ampynb.algorithms.scripted import Scripted
from ampynb.analysis.posterior import Posterior


class State(NamedTuple):
    """The steps done, the seed of all noise, and where the walkers are."""

    seed: int
    step: int
    position: np.ndarray


@dataclass(frozen=True, kw_only=True)
class AutoRegressive(Scripted):
    """Stationary AR(1) chains: standard normal, with autocorrelation rho^k at lag k.

    ``apart`` is the distance of the first chain from the others, ``stuck`` keeps the
    last element where it is.
    """

    rho: float = 0.8
    apart: float = 0.0
    stuck: bool = False

    @property
    def tau(self) -> float:
        """Sum of rho^|k| over all lags k."""
        return (1 + self.rho) / (1 - self.rho)

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> Any:
        seed = int(jax.random.bits(key, dtype=np.uint32))
        shape = (self.nwalkers, posterior.model.ndim)
        return State(seed, 0, np.random.default_rng([seed, 2**31]).normal(size=shape))

    def template(self, posterior: Posterior) -> Any:
        return State(0, 0, np.zeros((self.nwalkers, posterior.model.ndim)))

    def advance(self, posterior: Posterior, state: Any, n: int) -> tuple[Any, Draws]:
        last, rows = state.position, []
        for i in range(state.step, state.step + n):
            noise = np.random.default_rng([state.seed, i]).normal(size=last.shape)
            last = self.rho * last + np.sqrt(1 - self.rho**2) * noise
            rows.append(last)
        position = np.stack(rows)
        position[:, 0] += self.apart
        if self.stuck:
            position[..., -1] = 7.0
        density = -0.5 * np.sum(position**2, axis=-1)
        stats = {"lp": density, "log_likelihood": density}
        phase = self.status(state).phase
        return State(state.seed, state.step + n, last), Draws(position, stats, phase)


@dataclass(frozen=True, kw_only=True)
class Walkers(AutoRegressive):
    """The same chains, said to depend on each other."""

    independent_chains: ClassVar[bool] = False
