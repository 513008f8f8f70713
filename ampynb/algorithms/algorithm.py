"""The protocol of every algorithm, and what passes through it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import NO_REJECTIONS, Rejections

__all__ = [
    "SAMPLING",
    "WARMUP",
    "Algorithm",
    "Draws",
    "Estimate",
    "Outcome",
    "Start",
    "Status",
]

WARMUP = "warmup"
SAMPLING = "sampling"


@dataclass(frozen=True)
class Start:
    """Where an algorithm begins: prior draws or a former fit.

    Attributes
    ----------
    position : array, (nwalkers, ndim) [model units]
    scale_tril : array, (ndim, ndim), optional
        Cholesky factor of a covariance in z, for algorithms that can use one.
    rejections : Rejections
        Of the points that were tried to find it.
    moved : int
        Walkers that are elsewhere than was asked for, as it had zero probability.
    """

    position: np.ndarray
    scale_tril: np.ndarray | None = None
    rejections: Rejections = NO_REJECTIONS
    moved: int = 0


class Draws(NamedTuple):
    """The draws of some consecutive steps of one phase.

    Attributes
    ----------
    position : array, (n, nwalkers, ndim) [model units]
        Where points die, those of a step are in the place of walkers.
    stats : dict of str to array, (n, nwalkers)
        By ArviZ's names: ``lp`` (log prior plus log likelihood, in model units) and
        ``log_likelihood`` always, the algorithm's own besides.
    phase : str
        ``"warmup"`` or ``"sampling"``.
    step_stats : dict of str to array, (n, ...)
        Numbers of whole steps, of any further shape, as the temperatures of a ladder.
    """

    position: np.ndarray
    stats: dict[str, np.ndarray]
    phase: str
    step_stats: Mapping[str, np.ndarray] = MappingProxyType({})

    def rows(self, rows: slice) -> Draws:
        """Return the draws of some of the steps."""
        return Draws(
            self.position[rows],
            {name: values[rows] for name, values in self.stats.items()},
            self.phase,
            {name: values[rows] for name, values in self.step_stats.items()},
        )

    def __reduce__(self) -> tuple:
        # Copies in memory: draws may be mapped from files of another machine.
        stats, step_stats = (
            {name: np.array(values) for name, values in each.items()}
            for each in (self.stats, self.step_stats)
        )
        return Draws, (np.array(self.position), stats, self.phase, step_stats)


@dataclass(frozen=True)
class Status:
    """How far an algorithm is; cheap, on the host.

    Attributes
    ----------
    phase : str
        The phase of the next step.
    step : int
        Steps done, warm-up included.
    total : int, optional
        Steps to do in all; None for as many as it takes.
    remaining : int
        Steps that may be asked for at once in this phase; 0 at the end.
    metrics : dict of str to float
        The algorithm's own numbers.
    progress : float, optional
        Share of the work that is done, 0 to 1, where steps do not tell it.
    rejections : Rejections
        Points that the likelihood has rejected since the beginning.
    remarks : tuple of str
        What else is to be known of the draws, and is nothing wrong with them.
    """

    phase: str
    step: int
    total: int | None
    remaining: int
    metrics: dict[str, float]
    progress: float | None = None
    rejections: Rejections = NO_REJECTIONS
    remarks: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self.remaining == 0

    @property
    def fraction(self) -> float:
        """Share of the work that is done, 0 to 1."""
        if self.progress is not None:
            return self.progress
        return self.step / self.total if self.total else 1.0


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f}"


@dataclass(frozen=True)
class Outcome:
    """What the draws of the sampling phase amount to.

    Attributes
    ----------
    position : array, (n, nwalkers, ndim) [model units]
        Draws of equal weight.
    stats : dict of str to array, (n, nwalkers)
    log_evidence : dict of str to Estimate
        By method, the most reliable first; empty where the algorithm gives none.
    weighted : dict of str to array
        Draws of unequal weight: ``position`` (m, ndim), ``log_weight`` (m,), whose
        exponentials sum to 1, and further (m,) arrays; empty where there are none.
    trouble : tuple of str
        What is wrong with it, as far as the algorithm knows, in words.
    tempered : dict of str to array
        Draws of every temperature, coldest first: ``position`` (n, ntemps, nwalkers,
        ndim), ``lp`` and ``log_likelihood`` (n, ntemps, nwalkers), and ``beta``
        (ntemps,); empty where there are none.
    """

    position: np.ndarray
    stats: Mapping[str, np.ndarray]
    log_evidence: Mapping[str, Estimate] = field(default_factory=dict)
    weighted: Mapping[str, np.ndarray] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    tempered: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Algorithm(abc.ABC):
    """Frozen configuration of a sampler; all that changes is in its state.

    Two algorithms that differ in ``iterations`` alone are equal: they share compiled
    programs.

    Parameters
    ----------
    nwalkers : int
        Walkers, or chains.
    burn : int
        Burn-in or warm-up steps.
    iterations : int
        Steps after them; at most so many where an algorithm knows when it is done,
        and there None for as many as it takes.

    Attributes
    ----------
    name : str
        What users call it.
    takes_numpy : bool
        Whether it can sample an analysis with ``use_jax=False``.
    independent_chains : bool
        False where walkers depend on each other.
    candidates_per_walker : int
        Prior draws from which a walker's start is chosen; 0 where the algorithm
        begins with prior draws of its own and takes no start.
    draws_chains : bool
        Whether the draws of a walker are a chain, which R-hat and the autocorrelation
        time can judge.
    samples_posterior : bool
        False for a fake, whose stats are not those of the posterior it is given.
    shares_devices : bool
        Whether devices can share its work; see `across_devices`.
    """

    nwalkers: int = 4
    burn: int = 500
    iterations: int | None = field(default=1000, compare=False)

    name: ClassVar[str]
    takes_numpy: ClassVar[bool]
    independent_chains: ClassVar[bool]
    candidates_per_walker: ClassVar[int]
    draws_chains: ClassVar[bool] = True
    samples_posterior: ClassVar[bool] = True
    shares_devices: ClassVar[bool] = False

    @abc.abstractmethod
    def check(self, posterior: Posterior) -> None:
        """Raise `ValueError` where the algorithm cannot sample the posterior."""

    @abc.abstractmethod
    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> Any:
        """Return the state before the first step, a pytree; its random key is in it."""

    @abc.abstractmethod
    def template(self, posterior: Posterior) -> Any:
        """Return a pytree like a state, with a shape and a type for each array."""

    @abc.abstractmethod
    def advance(self, posterior: Posterior, state: Any, n: int) -> tuple[Any, Draws]:
        """Make ``n`` steps, all of one phase, or as many as one call can hold.

        An algorithm that finds that it is done makes fewer.
        """

    @abc.abstractmethod
    def status(self, state: Any) -> Status:
        """Return how far ``state`` is."""

    @abc.abstractmethod
    def live(self, state: Any) -> Draws | None:
        """Return points that belong to the outcome and are no draws yet, or None."""

    @abc.abstractmethod
    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return what the draws of the sampling phase, and live points, amount to."""

    def status_at(
        self,
        step: int,
        metrics: dict[str, float],
        rejections: Rejections = NO_REJECTIONS,
        remarks: tuple[str, ...] = (),
    ) -> Status:
        """Return the status after ``step`` steps of a number known beforehand."""
        warming = step < self.burn
        total = self.burn + (self.iterations or 0)
        return Status(
            phase=WARMUP if warming else SAMPLING,
            step=step,
            total=total,
            remaining=max((self.burn if warming else total) - step, 0),
            metrics=metrics,
            rejections=rejections,
            remarks=remarks,
        )
