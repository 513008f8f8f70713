"""From the posterior of one fit to the priors of the next.

A prior that depends on other parameters stays as it is: it is of a population, and not
of the one that was fitted. So do fixed values, ties, functions and assertions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.transforms import ExpTransform

from ampynb.model.instance import as_identifier
from ampynb.model.model import Model
from ampynb.model.quantile import bounds, is_logarithmic
from ampynb.model.table import Row, suggest
from ampynb.results.points import Points
from ampynb.results.truncated_normal import with_moments

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = [
    "model_centred",
    "model_centred_absolute",
    "model_centred_max_lh_bounded",
    "model_centred_relative",
    "projected_model",
]

Width = float | Mapping[str, Any]


def projected_model(result: Result) -> Model:
    """Return the model, its priors with the posterior's means and deviations.

    Each is a normal distribution that is cut at the edges of the former prior's
    support: of all distributions there, the least informative with that mean and that
    standard deviation (Jaynes 1957). A prior on a logarithmic scale gets those of the
    logarithm. Correlations between parameters are not kept. A fit of the same data
    would count them twice.
    """
    points = result.points

    def prior(row: Row, former: dist.Distribution) -> dist.Distribution:
        low, high = _edges(row, former)
        values = points.values[:, row.span]
        logarithmic = is_logarithmic(former)
        if logarithmic:
            with np.errstate(divide="ignore"):
                low, high, values = np.log(low), np.log(high), np.log(values)
        moments = Points(values, points.weights)
        mean, sd = moments.mean().reshape(row.shape), moments.sd().reshape(row.shape)
        _check_varying(row, sd)
        if row.period is not None:
            low, high = _around(row, mean)
        cut = _truncated_normal(*with_moments(mean, sd, low, high), low, high)
        return _exponential(cut, low, high) if logarithmic else cut

    return _with_priors(result.model, prior)


def model_centred(result: Result) -> Model:
    """Return the model, its priors normal around the posterior's medians.

    They are as wide as its errors, half the 1 sigma interval, and are cut at the edges
    of the former priors' support; those of parameters that wrap half a period to either
    side. A fit of the same data would count them twice:
    `model_centred_relative` makes them wider.
    """
    return model_centred_relative(result, 1.0)


def model_centred_relative(result: Result, r: Width) -> Model:
    """Return `model_centred` with priors ``r`` times as wide as the errors.

    Parameters
    ----------
    r : float, or dict of str to float or array
        A dictionary has them by parameter; those that it does not name keep their
        priors.
    """
    factors = _by_row(result.model, r, "r")
    low, high = result.points.interval(1.0)

    def scale(row: Row) -> np.ndarray:
        error = (high - low)[row.span].reshape(row.shape) / 2
        _check_varying(row, error)
        return factors[row.name] * error

    return _centred(result, factors, scale)


def model_centred_absolute(result: Result, a: Width) -> Model:
    """Return `model_centred` with priors of the width ``a``.

    Parameters
    ----------
    a : float, or dict of str to float or array [model units]
        A dictionary has them by parameter; those that it does not name keep their
        priors.
    """
    scales = _by_row(result.model, a, "a")
    return _centred(result, scales, lambda row: scales[row.name])


def _centred(
    result: Result, chosen: Collection[str], scale: Callable[[Row], Any]
) -> Model:
    medians = result.points.median()

    def prior(row: Row, former: dist.Distribution) -> dist.Distribution | None:
        if row.name not in chosen:
            return None
        centre = medians[row.span].reshape(row.shape)
        low, high = _edges(row, former)
        if row.period is not None:
            low, high = _around(row, centre)
        return _truncated_normal(centre, scale(row), low, high)

    return _with_priors(result.model, prior)


def model_centred_max_lh_bounded(result: Result, b: Width) -> Model:
    """Return the model, its priors uniform within ``b`` of the best draw.

    They are cut at the edges of the former priors' support.

    Parameters
    ----------
    b : float, or dict of str to float or array [model units]
        A dictionary has them by parameter; those that it does not name keep their
        priors.
    """
    widths = _by_row(result.model, b, "b")

    def prior(row: Row, former: dist.Distribution) -> dist.Distribution | None:
        if row.name not in widths:
            return None
        low, high = _edges(row, former)
        centre = result.best.position[row.span].reshape(row.shape)
        width = widths[row.name]
        if row.period is not None:
            low, high = _around(row, centre)
        return dist.Uniform(
            np.maximum(centre - width, low), np.minimum(centre + width, high)
        )

    return _with_priors(result.model, prior)


def _around(row: Row, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of one period around a point, for a parameter that wraps."""
    assert row.period is not None
    return centre - row.period / 2, centre + row.period / 2


def _truncated_normal(loc: Any, scale: Any, low: Any, high: Any) -> dist.Distribution:
    """Return a normal prior, cut at those edges that are finite."""
    finite = {
        name: edge
        for name, edge in (("low", low), ("high", high))
        if np.all(np.isfinite(edge))
    }
    return (
        dist.TruncatedNormal(loc, scale, **finite)
        if finite
        else dist.Normal(loc, scale)
    )


def _exponential(logarithm: Any, low: Any, high: Any) -> Any:
    """Return the distribution of exp(x) for one of x."""
    if not np.any(np.isfinite([low, high])):
        return dist.LogNormal(logarithm.loc, logarithm.scale)
    return dist.TransformedDistribution(
        logarithm, ExpTransform(constraints.interval(low, high))
    )


def _with_priors(
    model: Model, prior: Callable[[Row, dist.Distribution], dist.Distribution | None]
) -> Model:
    made = {row.name: prior(row, former) for row, former in _with_own_prior(model)}
    return model.with_priors({k: new for k, new in made.items() if new is not None})


def _with_own_prior(model: Model) -> list[tuple[Row, dist.Distribution]]:
    """Return the free parameters whose prior does not depend on others."""
    return [(row, p) for row, p in model.free() if isinstance(p, dist.Distribution)]


def _edges(row: Row, prior: dist.Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Return where the new prior must end; its shape is the parameter's."""
    support: Any = prior.support
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    edged = hasattr(support, "lower_bound") or hasattr(support, "upper_bound")
    if not (edged or isinstance(support, type(constraints.real))):
        raise ValueError(
            f"expected a prior on an interval or on all numbers; got {row.name!r} on "
            f"{type(support).__name__}; fix it, or give it a prior with "
            "model.with_priors(...)"
        )
    return bounds(prior)


def _check_varying(row: Row, spread: np.ndarray) -> None:
    if not np.all(spread > 0):
        raise ValueError(
            f"expected draws of {row.name!r} that differ; got a spread of "
            f"{np.min(spread):.3g}; run longer"
        )


def _by_row(model: Model, given: Width, letter: str) -> dict[str, np.ndarray]:
    """Return a width for each parameter: one for all, or those that are named."""
    free = {row.name: row for row, _ in _with_own_prior(model)}
    named = given if isinstance(given, Mapping) else dict.fromkeys(free, given)
    named = {as_identifier(name): width for name, width in named.items()}
    for name in named:
        if name not in free:
            raise ValueError(suggest(name, list(free)))
    widths = {}
    for name, width in named.items():
        value = np.asarray(width, dtype=float)
        if not np.all(np.isfinite(value) & (value > 0)):
            raise ValueError(
                f"expected {letter} as a positive number, or one by parameter; got "
                f"{width!r} for {name!r}; give for instance {{{name!r}: 1.0}}"
            )
        widths[name] = np.broadcast_to(value, free[name].shape)
    return widths
