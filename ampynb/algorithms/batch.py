"""One algorithm on many posteriors at once, in one compiled program."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import (
    WARMUP,
    Algorithm,
    Draws,
    Outcome,
    Start,
    Status,
)
from ampynb.algorithms.chunk import draws_from, repeat
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.posterior_batch import PosteriorBatch

__all__ = ["Batch", "Steps", "can_be_batched"]


@runtime_checkable
class Steps(Protocol):
    """What an algorithm offers besides `Algorithm` where many can run as one.

    Its ``init`` is pure JAX then too, and each of its draws has the same weight.

    Attributes
    ----------
    state_axes : 0 or pytree like the state
        None in the place of what is the same in every run, as a count of steps whose
        branches would otherwise all be computed; 0 elsewhere.
    """

    state_axes: Any

    def step(self, posterior: Posterior, state: Any) -> tuple[Any, dict]:
        """Make one step in pure JAX, and return the state and the record of it.

        The record has ``position`` (nwalkers, ndim), ``lp`` and ``log_likelihood``
        (nwalkers,).
        """
        ...


def can_be_batched(algorithm: Algorithm) -> bool:
    """Whether `Batch` takes the algorithm."""
    return isinstance(algorithm, Steps) and algorithm.iterations is not None


class BatchState(NamedTuple):
    """The steps done, and the state of every run, stacked."""

    step: jax.Array
    runs: Any


@dataclass(frozen=True, kw_only=True)
class Batch(Algorithm):
    """Runs of one algorithm on the posteriors of a `PosteriorBatch`, side by side.

    Its walkers are those of the first run, then those of the second, and so on. Draws
    of the warm-up are not kept.

    Parameters
    ----------
    algorithm : Algorithm
        One that offers `Steps`.
    size : int
        Number of posteriors.
    """

    algorithm: Any
    size: int

    name: ClassVar[str] = "batch"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 1
    draws_chains: ClassVar[bool] = False

    @classmethod
    def of(cls, algorithm: Algorithm, size: int) -> Batch:
        """Return ``size`` runs of an algorithm as one."""
        return cls(
            nwalkers=size * algorithm.nwalkers,
            burn=algorithm.burn,
            iterations=algorithm.iterations,
            algorithm=algorithm,
            size=size,
        )

    def check(self, posterior: Any) -> None:
        """Raise where the algorithm cannot sample the posteriors."""
        self.algorithm.check(posterior)

    def init(self, posterior: Any, key: jax.Array, start: Start) -> BatchState:
        """Return the state before the first step.

        Parameters
        ----------
        posterior : PosteriorBatch
        key : array of keys, (size,)
            One for each run.
        start : Start
            Of (size, nwalkers, ndim) positions, with the walkers of one run.
        """
        position = jnp.asarray(start.position)
        runs = _init(posterior, key, position, self.algorithm)
        return BatchState(jnp.zeros((), int), runs)

    def template(self, posterior: Any) -> BatchState:
        """Return a state's structure."""
        shape = (self.size, self.algorithm.nwalkers, posterior.model.ndim)
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), self.size))
        position = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
        runs = jax.eval_shape(
            functools.partial(_init, algorithm=self.algorithm),
            posterior,
            keys,
            position,
        )
        return BatchState(jax.eval_shape(lambda: jnp.zeros((), int)), runs)

    def advance(
        self, posterior: Any, state: BatchState, n: int
    ) -> tuple[BatchState, Draws]:
        """Make ``n`` steps of every run, or as many as one call can hold."""
        status = self.status(state)
        state, records = _advance(posterior, state, n, self.algorithm)
        done = int(state.step) - status.step
        kept = 0 if status.phase == WARMUP else done
        return state, draws_from(records, kept, status.phase)

    def status(self, state: BatchState) -> Status:
        """Return how far the runs are."""
        return self.status_at(int(state.step), {})

    def live(self, state: BatchState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)

    def outcomes(self, draws: Draws) -> list[Outcome]:
        """Return what the draws of each run amount to."""
        width = self.algorithm.nwalkers
        spans = [slice(i * width, (i + 1) * width) for i in range(self.size)]
        return [
            self.algorithm.finish(
                Draws(
                    draws.position[:, span],
                    {name: values[:, span] for name, values in draws.stats.items()},
                    draws.phase,
                ),
                None,
            )
            for span in spans
        ]


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _init(
    posteriors: PosteriorBatch, keys: jax.Array, position: jax.Array, algorithm: Any
) -> Any:
    def of_one(posterior: Posterior, key: jax.Array, position: Any) -> Any:
        return algorithm.init(posterior, key, Start(position))

    return posteriors.map(of_one, keys, position, out_axes=algorithm.state_axes)


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _advance(
    posteriors: PosteriorBatch, state: BatchState, n: ArrayLike, algorithm: Any
) -> tuple[BatchState, dict[str, jax.Array]]:
    axes = algorithm.state_axes

    def step(state: BatchState) -> tuple[BatchState, dict[str, jax.Array]]:
        runs, record = posteriors.map(
            algorithm.step, state.runs, axes=axes, out_axes=(axes, 0)
        )
        kept = {
            name: record[name].reshape(-1, *record[name].shape[2:])
            for name in ("position", "lp", "log_likelihood")
        }
        return BatchState(state.step + 1, runs), kept

    return repeat(step, state, n)
