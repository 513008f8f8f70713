"""What is known of the evidence while live points die, for every nested sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import SAMPLING, Status
from ampynb.analysis.rejections import Rejections
from ampynb.model.model import Model

__all__ = [
    "Evidence",
    "check_first_points",
    "check_options",
    "check_points",
    "counts_at_death",
    "evidence_after",
    "first_evidence",
    "nested_status",
]

FEWEST_FEASIBLE = 10  # live points
FEWEST_PER_PARAMETER = 4  # live points, for their covariance
MOST_STEPS = 2**31 - 1


class Evidence(NamedTuple):
    """What is known of the evidence while points die; a pytree of scalars.

    Attributes
    ----------
    log_volume : float
        Log of the share of the prior that is left.
    log_dead : float
        Log evidence that the dead points hold.
    log_total : float
        Log evidence of the dead and the live points.
    remaining : float
        By how much the live points raise the log evidence.
    progress : float
        Share of the work that is done, 0 to 1; it never falls.
    is_flat : bool
        Whether no live point is better than those that would be replaced next.
    """

    log_volume: jax.Array
    log_dead: jax.Array
    log_total: jax.Array
    remaining: jax.Array
    progress: jax.Array
    is_flat: jax.Array

    def is_complete(self, dlogz: float) -> Any:
        """Whether what remains is too little to go on, or cannot be explored."""
        return (self.remaining < dlogz) | self.is_flat


def first_evidence(live: jax.Array) -> Evidence:
    """Return what is known before the first death.

    Parameters
    ----------
    live : array, (nlive,)
        Log likelihoods of draws from the prior.
    """
    zero = jnp.zeros((), live.dtype)
    total = logsumexp(live) - jnp.log(live.size)
    false = jnp.zeros((), bool)
    return Evidence(zero, zero - jnp.inf, total, zero + jnp.inf, zero, false)


def counts_at_death(
    dead: ArrayLike, nlive: int, contour: ArrayLike, unborn: ArrayLike
) -> Any:
    """Return how many points are alive when each of some dies, itself included.

    Points of the same likelihood all die before better ones are born (Fowlie, Handley
    and Su 2021, MNRAS 503, 1199).

    Parameters
    ----------
    dead : array, (k,)
        Log likelihoods, rising, of points that die without being replaced meanwhile.
    nlive : int
        Live points, as many as before the last deaths.
    contour : float
        Log likelihood at which the last point died before them.
    unborn : int
        Points that are among the living, but were born at the contour only.
    """
    return nlive - np.arange(np.shape(dead)[0]) - (dead == contour) * unborn


def evidence_after(
    before: Evidence,
    dead: jax.Array,
    counts: jax.Array,
    live: jax.Array,
    ndim: int,
    dlogz: float,
) -> Evidence:
    """Return what is known after some deaths.

    Parameters
    ----------
    before : Evidence
    dead : array, (k,)
        Log likelihoods, rising.
    counts : array of int, (k,)
        Points that were alive when each of them died, itself included.
    live : array, (nlive,)
        Log likelihoods of the points that are alive now.
    ndim : int
    dlogz : float
        Where the run will end.
    """
    log_volumes = before.log_volume - jnp.cumsum(1.0 / counts.astype(live.dtype))
    above = jnp.concatenate([before.log_volume[None], log_volumes[:-1]])
    shells = above + jnp.log1p(-jnp.exp(log_volumes - above))
    log_dead = jnp.logaddexp(before.log_dead, logsumexp(dead + shells))
    log_volume = log_volumes[-1]
    log_live = logsumexp(live) - jnp.log(live.size) + log_volume
    log_total = jnp.logaddexp(log_dead, log_live)
    remaining = log_total - log_dead
    depth, log_ratio = jnp.max(live) - dead[-1], log_live - log_dead
    ahead = _folds_ahead(depth, log_ratio, ndim, dlogz)
    progress = jnp.maximum(before.progress, log_volume / (log_volume - ahead))
    is_flat = jnp.sort(live)[dead.size - 1] == jnp.max(live)
    return Evidence(log_volume, log_dead, log_total, remaining, progress, is_flat)


def _folds_ahead(
    depth: jax.Array, log_ratio: jax.Array, ndim: int, dlogz: float
) -> jax.Array:
    """Return by how many e-foldings the prior volume will still shrink, roughly.

    The log likelihood of a Gaussian falls as the volume to the power of 2 / ndim. So
    live points hold the share depth^(ndim/2) / gamma(ndim/2 + 1) of the evidence where
    the worst of them is ``depth`` below the best, and the share goes with the volume.
    Near the end, the ratio of what they hold to what the dead points hold tells better.
    """
    gaussian = 0.5 * ndim * jnp.log(depth) - gammaln(0.5 * ndim + 1.0)
    return jnp.maximum(jnp.minimum(gaussian, log_ratio) - jnp.log(dlogz), 0.0)


def nested_status(
    step: int,
    iterations: int | None,
    evidence: Evidence,
    dlogz: float,
    evaluations: int,
    rejections: Rejections,
) -> Status:
    """Return how far a run is, in the words of the protocol."""
    complete = bool(evidence.is_complete(dlogz))
    left = 0 if complete else (iterations or MOST_STEPS) - step
    found = {
        "log_evidence": float(evidence.log_total),
        "remaining_evidence": float(evidence.remaining),
        "evaluations": evaluations,
    }
    known = {name: value for name, value in found.items() if np.isfinite(value)}
    shares = [float(evidence.progress), step / (iterations or MOST_STEPS)]
    return Status(
        phase=SAMPLING,
        step=step,
        total=None,
        remaining=max(left, 0),
        metrics=known if step else {},
        progress=max(shares) if left > 0 else 1.0,
        rejections=rejections,
    )


def check_options(burn: int, dlogz: float, share_replaced: float) -> None:
    """Raise where options of nested sampling cannot be."""
    if burn != 0:
        raise ValueError(
            f"expected no burn with nested sampling, which has no warm-up; got "
            f"burn={burn}; leave it out"
        )
    if not dlogz > 0:
        raise ValueError(f"expected dlogz above 0; got {dlogz}; 0.01 is usual")
    if not 0 < share_replaced <= 0.5:
        raise ValueError(
            f"expected share_replaced above 0 and up to 0.5; got {share_replaced}; 0.1 "
            "is usual"
        )


def check_points(model: Model, nlive: int) -> None:
    """Raise for too few points, and priors that have no quantile function."""
    jax.eval_shape(model.prior_transform, jnp.full(model.ndim, 0.5))
    fewest = max(FEWEST_PER_PARAMETER * model.ndim, 2 * FEWEST_FEASIBLE)
    if nlive < fewest:
        raise ValueError(
            f"expected nwalkers, the live points, of at least {fewest}; got {nlive}; "
            "500 are usual"
        )


def check_first_points(
    log_likelihood: np.ndarray,
    rejections: Rejections,
    error: Callable[[], Exception | None] = lambda: None,
) -> None:
    """Raise where draws from the prior give likelihoods that lead nowhere.

    Parameters
    ----------
    log_likelihood : array, (nlive,)
    rejections : Rejections
        Among them.
    error : callable
        What the likelihood raises at one of them, for the cause.
    """
    found, drawn = int(np.isfinite(log_likelihood).sum()), len(log_likelihood)
    if found < FEWEST_FEASIBLE:
        told = f" ({rejections})" if rejections.total else ""
        raise ValueError(
            f"expected a finite log likelihood at {FEWEST_FEASIBLE} or more of {drawn} "
            f"draws from the prior; got {found}{told}; move the priors to where it is "
            "finite, or give more live points (nwalkers)"
        ) from error()
    if np.ptp(log_likelihood) == 0:
        raise ValueError(
            "expected a log likelihood that differs between draws from the prior; got "
            f"{log_likelihood[0]:g} at all of {drawn}; look whether it depends on the "
            "parameters"
        )
