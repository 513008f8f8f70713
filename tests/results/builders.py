"""Results made by hand: draws whose distribution is known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import numpy as np
import numpyro.distributions as dist

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws, Estimate, Outcome
from ampynb.algorithms.scripted import Scripted
from ampynb.results.history import History
from ampynb.results.result import result_class
from tests.helpers import line_problem

BATCH = 2048
EVIDENCE = Estimate(-12.5, 0.25)
LINE = line_problem()
BENT = anb.Model(
    slope=anb.Parameter(dist.Normal(1.0, 2.0), unit="mJy/d", label="m"),
    intercept=anb.Parameter(dist.Normal(0.0, 1.0), unit="mJy"),
    weights=dist.Normal(0.0, 1.0).expand([2]),
    redshift=0.1,
)


def normal_draws(n: int, nwalkers: int = 4, ndim: int = 2, seed: int = 0) -> np.ndarray:
    """Return independent standard normal draws, (n, nwalkers, ndim)."""
    return np.random.default_rng(seed).normal(size=(n, nwalkers, ndim))


def autoregressive_draws(
    n: int, rho: float, nwalkers: int = 8, ndim: int = 2, seed: int = 0
) -> np.ndarray:
    """Return stationary AR(1) chains: standard normal, autocorrelation rho^k at k."""
    noise = normal_draws(n, nwalkers, ndim, seed)
    chain = noise.copy()
    for i in range(1, n):
        chain[i] = rho * chain[i - 1] + np.sqrt(1 - rho**2) * noise[i]
    return chain


@jax.jit
def _densities(posterior: anb.Posterior, vectors: jax.Array) -> Any:
    return jax.vmap(posterior.log_densities)(vectors)


def draws_of(posterior: anb.Posterior, position: np.ndarray, phase: str) -> Draws:
    """Return the draws at given positions, with their densities."""
    flat = position.reshape(-1, position.shape[-1])
    if not posterior.analysis.use_jax:
        pairs = np.array([posterior.log_densities(vector) for vector in flat])
        prior, likelihood = pairs.T.reshape(2, *position.shape[:2])
        stats = {"lp": prior + likelihood, "log_likelihood": likelihood}
        return Draws(position, stats, phase)
    index = np.minimum(np.arange(-(-len(flat) // BATCH) * BATCH), len(flat) - 1)
    batches = flat[index].reshape(-1, BATCH, flat.shape[-1])  # one shape: one program
    parts = [_densities(posterior, batch) for batch in batches]
    prior, likelihood = (
        np.concatenate(part)[: len(flat)].reshape(position.shape[:2])
        for part in zip(*parts, strict=True)
    )
    stats = {"lp": prior + likelihood, "log_likelihood": likelihood}
    return Draws(position, stats, phase)


@dataclass(frozen=True, kw_only=True)
class Weighted(Scripted):
    """Draws of any normal distribution about 0, weighted to be standard normal."""

    sd: float = 2.0
    name: ClassVar[str] = "weighted"
    draws_chains: ClassVar[bool] = False

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        position = draws.position.reshape(-1, draws.position.shape[-1])
        log_weight = -0.5 * np.sum(position**2 * (1 - self.sd**-2), axis=1)
        weight = np.exp(log_weight) / np.sum(np.exp(log_weight))
        random = np.random.default_rng(0)
        rows = random.choice(len(position), len(position), p=weight)
        shape = draws.position.shape
        stats = {
            name: v.ravel()[rows].reshape(shape[:2]) for name, v in draws.stats.items()
        }
        weighted = {
            "position": position,
            "log_weight": np.log(weight),
            "log_likelihood": draws.stats["log_likelihood"].ravel(),
        }
        equal = position[rows].reshape(shape)
        return Outcome(equal, stats, {"importance": EVIDENCE}, weighted)


def weighted_result(
    n: int = 4000, posterior: anb.Posterior = LINE.posterior, seed: int = 0
) -> anb.Result:
    """Return draws that their weights make standard normal."""
    position = Weighted.sd * normal_draws(n, 4, posterior.model.ndim, seed)
    return result_of(position, posterior, kind=Weighted)


def result_of(
    position: np.ndarray,
    posterior: anb.Posterior = LINE.posterior,
    *,
    warmup: np.ndarray | None = None,
    independent: bool = True,
    seed: int = 3,
    reason: str = "completed",
    extra_stats: dict[str, np.ndarray] | None = None,
    step_stats: dict[str, np.ndarray] | None = None,
    kind: Any = None,
) -> anb.Result:
    """Return the result of a run that left these draws, (n, nwalkers, ndim)."""
    history = History()
    if warmup is not None:
        history.append(draws_of(posterior, warmup, WARMUP))
    if len(position):
        draws = draws_of(posterior, position, SAMPLING)
        history.append(
            draws._replace(
                stats=draws.stats | (extra_stats or {}), step_stats=step_stats or {}
            )
        )
    kind = kind or (Scripted if independent else anb.Ensemble)
    burn = 0 if warmup is None else len(warmup)
    algorithm = kind(nwalkers=position.shape[1], burn=burn, iterations=len(position))
    return result_class(posterior.analysis)(
        posterior, algorithm, history, seed=seed, seconds=1.5, reason=reason
    )


def arviz() -> Any:
    """Import ArviZ without its note on the next release."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz
