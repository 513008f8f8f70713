"""From what users give as a starting point to positions of walkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ampynb.algorithms.algorithm import Start
from ampynb.model.instance import Instance
from ampynb.model.model import Model
from ampynb.model.table import check_values
from ampynb.model.units import check_plain
from ampynb.results.result import Result

__all__ = ["start_from"]

CANDIDATES = 32  # draws of a former fit for each walker: some may be outside now
SCATTER = 0.02  # of the prior's standard deviation, in unconstrained coordinates
HALVINGS = 30  # of the distance of a walker at which an assertion does not hold


def start_from(start: Any, model: Model, nwalkers: int, seed: int) -> Start | None:
    """Return where walkers begin, or None for draws from the prior.

    Parameters
    ----------
    start : None, Start, Result, array, vector, instance or dict of numbers by name
        A former result gives draws from it, and draws from the prior for parameters
        that it has not; a point gives a small ball around it.

    Raises
    ------
    ValueError
        Where it has another shape than the model and the walkers, or lies outside
        the prior's support.
    """
    if start is None:
        return None
    if isinstance(start, Result):
        return Start(_draws_of(start, model, nwalkers, seed))
    given = start.position if isinstance(start, Start) else start
    is_array = isinstance(given, list | tuple | np.ndarray | jax.Array)
    if is_array:
        check_plain(given, model.names)
    position = np.asarray(given if is_array else _vector_from(given, model))
    if position.shape == (nwalkers, model.ndim):
        _check_inside(position, model)
        return start if isinstance(start, Start) else Start(position)
    if position.shape == (model.ndim,):
        _check_inside(position[None], model)
        return Start(_ball(position, model, nwalkers, seed))
    raise ValueError(
        f"expected a start of shape ({model.ndim},) or ({nwalkers}, {model.ndim}); got "
        f"{position.shape}; give one point, or one for each walker"
    )


def _draws_of(result: Result, model: Model, nwalkers: int, seed: int) -> np.ndarray:
    """Return draws of a former fit that lie inside the priors and assertions."""
    names = result.table.names
    shared = [name for name in model.names if name in names]
    if not shared:
        raise ValueError(
            f"expected a start with the parameters {', '.join(model.names)}; got a "
            f"result with {', '.join(names)}; pass an instance instead"
        )
    available = len(result.flat_draws)
    wanted = max(nwalkers, min(CANDIDATES * nwalkers, available))
    columns = [names.index(name) for name in shared]
    drawn = result.sample(wanted, seed)[:, columns]
    if shared == model.names:
        position = drawn
    else:
        position = np.array(model.sample_prior(jax.random.key(seed), wanted))
        position[:, [model.names.index(name) for name in shared]] = drawn
    inside = np.isfinite(jax.vmap(model.unconstrain)(position)).all(axis=1)
    inside &= np.asarray(jax.vmap(model.allows)(position))
    if inside.sum() < nwalkers:
        raise ValueError(
            f"expected {nwalkers} draws of the former fit inside the priors' bounds; "
            f"got {inside.sum()} of {wanted}; widen the priors, or leave start out"
        )
    return position[inside][:nwalkers]


def _vector_from(instance: Any, model: Model) -> Any:
    if isinstance(instance, Mapping):
        check_values(instance, (row.name for row, _ in model.free()))
    try:
        return model.vector_from_instance(instance)
    except AttributeError:
        if isinstance(instance, Instance):  # its own error names what is missing
            raise
        raise TypeError(
            "expected a start as an instance of the model, a dictionary of numbers by "
            "name, a vector, an array of one vector for each walker, or a Result; got "
            f"{type(instance).__qualname__}; give for instance "
            "model.instance_from_prior_medians()"
        ) from None


def _check_inside(position: np.ndarray, model: Model) -> None:
    """Raise where a walker is outside the priors' support, or on its edge."""
    finite = np.isfinite(jax.vmap(model.unconstrain)(position))
    if not finite.all():
        walker, element = np.argwhere(~finite)[0]
        value = position[walker, element]
        raise ValueError(
            "expected a start inside the priors' bounds; got "
            f"{model.names[element]}={value:.6g}; move it inside"
        )
    for walker in position:
        violated = model.violated(walker)
        if violated:
            raise ValueError(
                "expected a start at which every assertion of the model holds; got "
                f"one at which {' and '.join(map(repr, violated))} does not; move it"
            )


def _ball(vector: np.ndarray, model: Model, nwalkers: int, seed: int) -> np.ndarray:
    centre = np.asarray(model.unconstrain(vector))
    low, high = (np.asarray(model.unconstrain(v)) for v in model.prior_interval(0.68).T)
    # Quantiles of a prior that depends on others may be outside it at these' own.
    width = np.where(np.isfinite(high - low), (high - low) / 2, 1.0)
    normal = np.random.default_rng(seed).normal(size=(nwalkers, model.ndim))
    offset = SCATTER * width * normal
    for _ in range(HALVINGS):
        ball = np.asarray(jax.vmap(model.constrain)(centre + offset))
        outside = ~np.asarray(jax.vmap(model.allows)(ball))
        if not outside.any():
            break
        offset[outside] /= 2
    return ball
