"""The protocol of every algorithm, and what passes through it."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from ampynb.analysis.posterior import Posterior

__all__ = ["SAMPLING", "WARMUP", "Algorithm", "Draws", "Outcome", "Start", "Status"]

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
    """

    position: np.ndarray
    scale_tril: np.ndarray | None = None


class Draws(NamedTuple):
    """The draws of some consecutive steps of one phase.

    Attributes
    ----------
    position : array, (n, nwalkers, ndim) [model units]
    stats : dict of str to array, (n, nwalkers)
        By ArviZ's names: ``lp`` (log prior plus log likelihood, in model units) and
        ``log_likelihood`` always, the algorithm's own besides.
    phase : str
        ``"warmup"`` or ``"sampling"``.
    """

    position: np.ndarray
    stats: dict[str, np.ndarray]
    phase: str


@dataclass(frozen=True)
class Status:
    """How far an algorithm is; cheap, on the host.

    Attributes
    ----------
    phase : str
        The phase of the next step.
    step, total : int
        Steps done and to do, warm-up included.
    remaining : int
        Steps left in the phase; 0 at the end.
    metrics : dict of str to float
        The algorithm's own numbers.
    """

    phase: str
    step: int
    total: int
    remaining: int
    metrics: dict[str, float]

    @property
    def done(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.total

    @property
    def fraction(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        return self.step / self.total if self.total else 1.0


@dataclass(frozen=True)
class Outcome:
    """What the draws of the sampling phase amount to in the end."""

    position: np.ndarray
    stats: dict[str, np.ndarray]


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
        Steps after them.

    Attributes
    ----------
    name : str
        What users call it.
    takes_numpy : bool
        Whether it can sample an analysis with ``use_jax=False``.
    independent_chains : bool
        False where walkers depend on each other.
    candidates_per_walker : int
        Prior draws from which a walker's start is chosen.
    """

    nwalkers: int = 4
    burn: int = 500
    iterations: int = field(default=1000, compare=False)

    name: ClassVar[str]
    takes_numpy: ClassVar[bool]
    independent_chains: ClassVar[bool]
    candidates_per_walker: ClassVar[int]

    @abc.abstractmethod
    def check(self, posterior: Posterior) -> None:
        """Raise `ValueError` where the algorithm cannot sample the posterior."""

    @abc.abstractmethod
    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> Any:
        """Return the state before the first step; the random key is in it."""

    @abc.abstractmethod
    def advance(self, posterior: Posterior, state: Any, n: int) -> tuple[Any, Draws]:
        """Make ``n`` steps, all of one phase, or as many as one call can hold."""

    @abc.abstractmethod
    def status(self, state: Any) -> Status:
        """Return how far ``state`` is."""

    @abc.abstractmethod
    def finish(self, posterior: Posterior, state: Any, draws: Draws) -> Outcome:
        """Return what the draws of the sampling phase amount to."""

    def status_at(self, step: int, metrics: dict[str, float]) -> Status:
        """Return the status after ``step`` steps of warm-up and sampling."""
        warming = step < self.burn
        total = self.burn + self.iterations
        return Status(
            phase=WARMUP if warming else SAMPLING,
            step=step,
            total=total,
            remaining=(self.burn if warming else total) - step,
            metrics=metrics,
        )
