"""Fits of simulated data: made together where they can be, and ranked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm, Start
from ampynb.algorithms.batch import Batch, can_be_batched
from ampynb.analysis.posterior_batch import PosteriorBatch
from ampynb.analysis.simulation import Simulation
from ampynb.inference.loop import Plan
from ampynb.inference.ranks import Quantities, RankedFit, ranked
from ampynb.results.calibration import Calibration
from ampynb.results.history import History

__all__ = ["Study"]

FITS_AT_ONCE = {"cpu": 32}  # more of them wait for the slowest; few fill no GPU
FITS_AT_ONCE_ELSEWHERE = 256
BYTES_AT_ONCE = 2**27  # of draws


@dataclass(frozen=True)
class Study:
    """The fits to be made, and what is known of those that are done.

    Attributes
    ----------
    algorithm : Algorithm
    simulations : list of Simulation
        One for each fit.
    left_out : int
        Simulations that had no likelihood.
    seeds : array of int, (n,)
        One for each fit.
    draws : int
        Of each fit, among which the true values are ranked.
    quantities : Quantities
    seed : int
        Of the whole.
    done : list of RankedFit
        In the order of the simulations.
    """

    algorithm: Algorithm
    simulations: list[Simulation]
    left_out: int
    seeds: np.ndarray
    draws: int
    quantities: Quantities
    seed: int
    done: list[RankedFit] = field(default_factory=list)

    @property
    def is_batched(self) -> bool:
        """Whether fits are made together; NumPy's are made one after another."""
        use_jax = self.simulations[0].posterior.analysis.use_jax
        return use_jax and can_be_batched(self.algorithm)

    def groups(self) -> list[range]:
        """Return the fits that are made together, in groups of one size.

        The last group may reach beyond the last fit: all are one compiled program.
        """
        n, size = len(self.simulations), 1
        if self.is_batched:
            size = min(_fits_at_once(self.algorithm, self.ndim), n)
            size = -(-n // -(-n // size))
        return [range(first, first + size) for first in range(0, n, size)]

    def fits(self, members: range) -> list[int]:
        """Return the fits of a group that were asked for."""
        return [fit for fit in members if fit < len(self.simulations)]

    @property
    def ndim(self) -> int:
        """Number of parameters."""
        return len(self.simulations[0].vector)

    def begin(self, members: range) -> tuple[Plan, History]:
        """Return the plan of a group, and the history that it begins with."""
        last = len(self.simulations) - 1
        plans = [self._plan(min(i, last)) for i in members]
        history = History()
        if not self.is_batched:
            return plans[0], history
        posteriors: Any = PosteriorBatch([plan.posterior for plan in plans])
        batch = Batch.of(self.algorithm, len(plans))
        starts, keys = zip(*(plan.beginning() for plan in plans), strict=True)
        positions = Start(np.stack([start.position for start in starts]))
        history.state = batch.init(posteriors, jnp.stack(keys), positions)
        return Plan(posteriors, batch, self.seed), history

    def _plan(self, fit: int) -> Plan:
        posterior, seed = self.simulations[fit].posterior, int(self.seeds[fit])
        return Plan(posterior, self.algorithm, seed)

    def take(self, members: range, plan: Plan, history: History) -> None:
        """Rank the true values of a group among its draws."""
        drawn: Any = history.draws(SAMPLING)
        if isinstance(plan.algorithm, Batch):
            outcomes = plan.algorithm.outcomes(drawn)
        else:
            live = self.algorithm.live(history.state)
            outcomes = [self.algorithm.finish(drawn, live)]
        for fit, outcome in zip(self.fits(members), outcomes, strict=False):
            random = np.random.default_rng([self.seed, fit])
            self.done.append(
                ranked(
                    self.simulations[fit],
                    outcome,
                    self.algorithm,
                    self.quantities,
                    self.draws,
                    random,
                )
            )

    def calibration(self, seconds: float, reason: str, message: str) -> Any:
        """Return what the fits that are done amount to."""
        done = list(self.done)
        truths = [one.vector for one in self.simulations[: len(done)]]
        names = self.quantities.names
        return Calibration(
            names=names,
            ranks=np.array([fit.ranks for fit in done], int).reshape(-1, len(names)),
            n_draws=self.draws,
            truths=np.array(truths).reshape(-1, self.ndim),
            ess=np.array([fit.ess for fit in done]),
            asked_for=len(self.simulations),
            left_out=self.left_out,
            sampler=self.algorithm.name,
            seed=self.seed,
            seconds=seconds,
            reason=reason,
        )


def _fits_at_once(algorithm: Algorithm, ndim: int) -> int:
    """Return how many fits are made in one program."""
    steps = algorithm.iterations or 0
    bytes_of_one = 8 * max(steps * algorithm.nwalkers, 1) * (ndim + 2)
    most = FITS_AT_ONCE.get(jax.default_backend(), FITS_AT_ONCE_ELSEWHERE)
    return max(min(BYTES_AT_ONCE // bytes_of_one, most), 1)
