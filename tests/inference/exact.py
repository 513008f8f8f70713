"""A sampler whose draws are exact, and wrong in a known way where it is told to be."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ampynb import Posterior
from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat, traced_template

PRIOR_MEAN, PRIOR_SD = np.array([1.0, 0.0]), np.array([2.0, 1.0])  # of line_problem()


class ExactState(NamedTuple):
    key: jax.Array
    step: jax.Array
    mean: jax.Array
    scale_tril: jax.Array


@dataclass(frozen=True, kw_only=True)
class OneByOne(Algorithm):
    """Independent draws of the posterior of the line, which is a Gaussian.

    Source: the normal equations with the prior as further data, as in Gelman et al.
    2013, Bayesian Data Analysis, section 14.8.

    Parameters
    ----------
    width : float
        What the standard deviations are multiplied by.
    shift : float
        What is added to the slope, in its standard deviation.
    """

    width: float = 1.0
    shift: float = 0.0

    name: ClassVar[str] = "exact"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 1

    def check(self, posterior: Posterior) -> None:
        assert posterior.model.names == ["slope", "intercept"]

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> ExactState:
        line: Any = posterior.analysis
        design = jnp.stack([line.x, jnp.ones_like(line.x)], axis=1) / line.yerr[:, None]
        covariance = jnp.linalg.inv(design.T @ design + np.diag(PRIOR_SD**-2))
        mean = covariance @ (design.T @ (line.y / line.yerr) + PRIOR_MEAN / PRIOR_SD**2)
        mean = mean.at[0].add(self.shift * jnp.sqrt(covariance[0, 0]))
        scale_tril = self.width * jnp.linalg.cholesky(covariance)
        return ExactState(key, jnp.zeros((), int), mean, scale_tril)

    def template(self, posterior: Posterior) -> ExactState:
        return traced_template(self, posterior)

    def advance(
        self, posterior: Posterior, state: ExactState, n: int
    ) -> tuple[ExactState, Draws]:
        status = self.status(state)
        state, records = _advance(posterior, state, n, self.nwalkers)
        return state, draws_from(records, int(state.step) - status.step, status.phase)

    def status(self, state: ExactState) -> Status:
        return self.status_at(int(state.step), {})

    def live(self, state: ExactState) -> None:
        pass

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        return Outcome(draws.position, draws.stats)


@dataclass(frozen=True, kw_only=True)
class Exact(OneByOne):
    """The same, for many data sets at once."""

    state_axes: ClassVar[Any] = 0

    def step(self, posterior: Posterior, state: ExactState) -> tuple[ExactState, dict]:
        return _step(posterior, self.nwalkers, state)


@functools.partial(jax.jit, static_argnames=("nwalkers",))
def _advance(posterior: Posterior, state: ExactState, n: int, nwalkers: int) -> Any:
    return repeat(functools.partial(_step, posterior, nwalkers), state, n)


def _step(
    posterior: Posterior, nwalkers: int, state: ExactState
) -> tuple[ExactState, dict]:
    key, key_draw = jax.random.split(state.key)
    normal = jax.random.normal(key_draw, (nwalkers, 2))
    position = state.mean + normal @ state.scale_tril.T
    log_prior, log_likelihood = jax.vmap(posterior.log_densities)(position)
    record = {
        "position": position,
        "lp": log_prior + log_likelihood,
        "log_likelihood": log_likelihood,
    }
    return state._replace(key=key, step=state.step + 1), record
