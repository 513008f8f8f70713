"""Starting positions: prior draws at which the posterior is finite."""

from __future__ import annotations

import dataclasses
import functools
import logging
from typing import NamedTuple

import jax
import numpy as np

from ampynb.algorithms.algorithm import Algorithm, Start
from ampynb.algorithms.stranded import Moved, pulled_in
from ampynb.analysis.joint import check_noises
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import REJECTING, Rejections
from ampynb.model.model import Model

__all__ = [
    "densities",
    "draw_start",
    "error_at",
    "finite_prior_draws",
    "log_priors",
    "start_or_draw",
]

logger = logging.getLogger("ampynb")

ROUNDS = 20
SMALLEST_BATCH = 64


def start_or_draw(
    posterior: Posterior, key: jax.Array, algorithm: Algorithm, start: Start | None
) -> Start:
    """Return the start that was asked for, or one drawn from the prior.

    Raises
    ------
    ValueError
        Where an algorithm cannot begin there: a chain by itself must not begin at
        zero probability, a walker of an ensemble may if there are others that do not:
        it is moved towards one of these.
    """
    if not algorithm.candidates_per_walker:
        return Start(np.zeros((0, posterior.model.ndim)))
    if start is None:
        candidates = algorithm.candidates_per_walker
        return draw_start(posterior, key, algorithm.nwalkers, candidates)
    position = np.asarray(start.position)
    if not algorithm.independent_chains:
        _check_spanning(position)
    values, rejections = _evaluated(posterior, position)
    finite = np.isfinite(values)
    if not (finite.all() if algorithm.independent_chains else finite.any()):
        _check_noises(posterior)
        told = f" ({rejections})" if rejections.total else ""
        raise ValueError(
            "expected a start at which the log likelihood is finite; got "
            f"{np.sum(~finite)} of {len(finite)} positions at which it is not{told}; "
            "start nearer the best fit, or leave start out for draws from the prior"
        ) from error_at(posterior, position[~finite])
    if not finite.all():
        begin = Moved(position, *densities(posterior, position))
        position = pulled_in(
            functools.partial(densities, posterior), begin, ~finite, position.shape[1]
        ).position
    if posterior.model.wraps:
        position = np.asarray(jax.vmap(posterior.model.wrap)(position))
    return dataclasses.replace(
        start,
        position=position,
        rejections=rejections,
        moved=int(np.sum(~finite)),
    )


def densities(
    posterior: Posterior, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log priors and log likelihoods, each (n,); -inf where not finite."""
    values = log_likelihoods(posterior, vectors)
    log_prior = np.asarray(log_priors(posterior.model, vectors))
    usable = np.isfinite(values) & np.isfinite(log_prior)
    return log_prior, np.where(usable, values, -np.inf)


def _check_spanning(position: np.ndarray) -> None:
    """Raise where the walkers of an ensemble could never leave a line or a plane."""
    ndim = position.shape[1]
    spread = position - position.mean(axis=0)
    width = spread.std(axis=0)
    scaled = spread / np.where(width > 0, width, 1.0)
    rank = np.linalg.matrix_rank(scaled, rtol=1e-10)
    if rank < ndim:
        raise ValueError(
            f"expected walkers that differ in each of {ndim} directions; got "
            f"{len(position)} that differ in {rank}; scatter them around the point, or "
            "pass the point alone as start"
        )


def draw_start(
    posterior: Posterior, key: jax.Array, nwalkers: int, candidates: int = 1
) -> Start:
    """Draw one starting position for each walker from the prior.

    Parameters
    ----------
    candidates : int
        Draws for each walker, which begins at the most probable one.

    Raises
    ------
    ValueError
        Where too few prior draws have a finite log posterior.
    """
    search = _search(posterior, key, nwalkers * candidates)
    found = search.found
    if len(found) < nwalkers:
        _check_noises(posterior)
        raise ValueError(_nothing_found(nwalkers, search)) from search.error
    usable = len(found) // nwalkers
    groups = [found[i * usable : (i + 1) * usable] for i in range(nwalkers)]
    best = [max(group, key=lambda pair: pair[1])[0] for group in groups]
    return Start(np.stack(best), rejections=search.rejections)


def _check_noises(posterior: Posterior) -> None:
    """Raise where the noise is not positive at the prior medians.

    As an explorer does, which begins there; else one would search the model for NaN.
    """
    if posterior.analysis.has_fit:
        instance = posterior.model.instance_from_prior_medians()
        try:
            fit = posterior.analysis.fit_for_visualization(instance)
        except REJECTING:  # which is told
            return
        check_noises(fit)


def finite_prior_draws(
    posterior: Posterior, key: jax.Array, most: int
) -> tuple[np.ndarray, Rejections]:
    """Return prior draws with a finite log likelihood, (n, ndim) with n up to ``most``.

    There are fewer where the prior has too few. What was rejected comes with them.
    """
    search = _search(posterior, key, most)
    positions = [position for position, _ in search.found[:most]]
    shape = len(positions), posterior.model.ndim
    return np.reshape(positions, shape), search.rejections


class _Search(NamedTuple):
    """Prior draws and their finite log likelihoods, and those that were rejected."""

    found: list[tuple[np.ndarray, float]]
    rejections: Rejections
    error: Exception | None


def _search(posterior: Posterior, key: jax.Array, wanted: int) -> _Search:
    found, rejections, error = [], Rejections(), None
    for key_round in jax.random.split(key, ROUNDS):
        batch = max(wanted, SMALLEST_BATCH)
        vectors = np.asarray(posterior.model.sample_prior(key_round, batch))
        values, more = _evaluated(posterior, vectors)
        rejections += more
        good = np.isfinite(values)
        found += zip(vectors[good], values[good], strict=True)
        if len(found) >= wanted:
            break
        if error is None:
            error = error_at(posterior, vectors[~good])
            if error is not None and not found:
                told = f"{type(error).__name__}: {error}"
                logger.warning(
                    "no likelihood at any of %d prior draws (%s); more are tried",
                    batch,
                    told,
                )
    return _Search(found, rejections, error)


def _evaluated(
    posterior: Posterior, vectors: np.ndarray
) -> tuple[np.ndarray, Rejections]:
    """Return the log likelihood at each vector, (n,), and what was rejected."""
    if posterior.analysis.use_jax:
        values = log_likelihoods(posterior, vectors)
        counts = len(values), np.isnan(values).sum(), np.isposinf(values).sum()
        return values, Rejections.of_counts(counts)
    found = [posterior.evaluate(vector) for vector in vectors]
    return np.array([one.value for one in found]), Rejections.of(found)


def error_at(posterior: Posterior, vectors: np.ndarray) -> Exception | None:
    """Return the first error with which a NumPy likelihood rejects some points.

    With its traceback, which workers do not send.
    """
    if posterior.analysis.use_jax:
        return None
    for vector in vectors:
        try:
            posterior.raw_log_likelihood(vector)
        except REJECTING as error:
            return error
    return None


def log_likelihoods(posterior: Posterior, vectors: np.ndarray) -> np.ndarray:
    """Return the log likelihood at each vector, (n,); NaN included in JAX."""
    if posterior.analysis.use_jax:
        return np.asarray(_log_likelihoods(posterior, vectors))
    return np.array([posterior.evaluate(vector).value for vector in vectors])


@jax.jit
def _log_likelihoods(posterior: Posterior, vectors: jax.Array) -> jax.Array:
    return jax.vmap(functools.partial(Posterior.raw_log_likelihood, posterior))(vectors)


@jax.jit
def log_priors(model: Model, vectors: jax.Array) -> jax.Array:
    """Return the log prior density at each vector: (n,)."""
    return jax.vmap(model.log_prior)(vectors)


def _nothing_found(nwalkers: int, search: _Search) -> str:
    found, drawn = len(search.found), search.rejections.points
    if search.rejections.total:
        counts = search.rejections.reasons.items()
        got = " and ".join(f"{reason} at {n} of {drawn} draws" for reason, n in counts)
        remedy = (
            "look for a division by zero, the logarithm or root of a negative number, "
            "or NaN in the data"
        )
        if search.error is not None:
            remedy = "see where it is raised above, and correct it or move the priors"
    else:
        got = f"zero probability (-inf) at {drawn - found} of {drawn} draws"
        remedy = "move the priors to where the likelihood is not zero, or pass start="
    return (
        f"expected a finite log likelihood at {nwalkers} or more draws from the prior; "
        f"got {found}, with {got}; {remedy}"
    )
