"""Data as an analysis says they come: simulated at points of parameter space."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from ampynb.analysis.analysis import Analysis, _bundle_analysis
from ampynb.analysis.joint import analyses_in, fits_in
from ampynb.analysis.posterior import Posterior

__all__ = ["Simulation", "simulate"]

POINTS_AT_ONCE = 64


class Simulation(NamedTuple):
    """Data that were simulated at a point, and their posterior.

    Attributes
    ----------
    vector : array, (ndim,) [model units]
        The point.
    posterior : Posterior
        Of the simulated data.
    log_likelihood : float
        Of the simulated data at the point.
    """

    vector: np.ndarray
    posterior: Posterior
    log_likelihood: float


def simulate(
    posterior: Posterior, vectors: np.ndarray, keys: jax.Array
) -> list[Simulation]:
    """Simulate data at each of some vectors with the fit's ``predict(key)``.

    They take the observed data's place by `Analysis.with_data`.

    Parameters
    ----------
    posterior : Posterior
    vectors : array, (n, ndim) [model units]
    keys : array of keys, (n,)

    Raises
    ------
    TypeError, ValueError
        Where the analysis has no fit, its fit cannot predict, or simulated data cannot
        take the place of the observed ones.
    """
    observed = _observed(posterior, vectors[0])
    data = jax.device_get(_predictions(posterior, vectors, keys))
    _check_shapes(data, observed)
    simulations = []
    for i, vector in enumerate(vectors):
        drawn = jax.tree_util.tree_map(lambda array, i=i: array[i], data)
        analysis = posterior.analysis.with_data(drawn, observed)
        simulated = Posterior(analysis, posterior.model)
        if i == 0:
            _check_replaced(simulated, vector, drawn)
        log_likelihood = (
            _log_likelihood if analysis.use_jax else Posterior.raw_log_likelihood
        )
        value = float(log_likelihood(simulated, vector))
        simulations.append(Simulation(vector, simulated, value))
    return simulations


_log_likelihood = jax.jit(Posterior.raw_log_likelihood)


def _predicting_fit(posterior: Posterior, vector: Any) -> Any:
    """Return the fit at a vector, which has ``data`` and ``predict``."""
    kind = type(posterior.analysis).__qualname__
    if not posterior.analysis.has_fit:
        raise TypeError(
            f"expected {kind} to have fit_from(self, instance), whose fit simulates "
            "data; got none; return for instance ampynb.GaussianFit(data=..., "
            "noise=..., model=...) from it"
        )
    instance = posterior.model.instance_from_vector(vector)
    fit = posterior.analysis.fit_from(instance)
    missing = [name for name in ("data", "predict") if not hasattr(fit, name)]
    if missing:
        raise TypeError(
            f"expected fits of {kind} with data and predict(key), which simulates "
            f"data; got a {type(fit).__qualname__} without {' and '.join(missing)}; "
            "return for instance ampynb.GaussianFit from fit_from"
        )
    analyses = analyses_in(posterior.analysis)
    for name, one in fits_in(fit).items():
        limited = getattr(one, "upper_limit", None) is not None
        kind = type(analyses[name])
        if limited and kind.with_data is Analysis.with_data:
            raise ValueError(
                "expected data without upper limits, or an analysis that says how they "
                f"come about; got {kind.__qualname__} with upper_limit; write "
                "with_data(self, data, observed), which sets the limits of the "
                "simulated data too"
            )
    return fit


def _observed(posterior: Posterior, vector: np.ndarray) -> Any:
    """Return the data of the fit: the attributes themselves where it has them as such.

    A compiled fit returns copies. When it is traced, one sees which of the arrays that
    go in come out as its data.
    """
    if not posterior.analysis.use_jax:
        return _predicting_fit(posterior, vector).data
    places: list[int | None] = []

    def trace(posterior: Posterior, vector: jax.Array) -> Any:
        arrays = _bundle_analysis(posterior.analysis).leaves
        with posterior.as_read():
            data = _predicting_fit(posterior, vector).data
        for leaf in jax.tree_util.tree_leaves(data):
            same = (i for i, array in enumerate(arrays) if array is leaf)
            places.append(next(same, None))
        return data

    shapes = jax.eval_shape(trace, posterior, vector)
    attributes = _bundle_analysis(posterior.analysis).leaves
    copies = [None] * len(places)
    if None in places:
        copies = jax.tree_util.tree_leaves(_compiled_data(posterior, vector))
    themselves = [
        copy if place is None else attributes[place]
        for place, copy in zip(places, copies, strict=True)
    ]
    structure = jax.tree_util.tree_structure(shapes)
    return jax.tree_util.tree_unflatten(structure, themselves)


@jax.jit
def _compiled_data(posterior: Posterior, vector: jax.Array) -> Any:
    with posterior.as_read():
        return _predicting_fit(posterior, vector).data


def _predictions(posterior: Posterior, vectors: np.ndarray, keys: jax.Array) -> Any:
    """Return data simulated at each vector, stacked."""
    if posterior.analysis.use_jax:
        return _traced_predictions(posterior, vectors, keys)
    pairs = zip(vectors, keys, strict=True)
    each = [_predicting_fit(posterior, vector).predict(key) for vector, key in pairs]
    return jax.tree_util.tree_map(lambda *drawn: np.stack(drawn), *each)


@jax.jit
def _traced_predictions(
    posterior: Posterior, vectors: jax.Array, keys: jax.Array
) -> Any:
    def predicted(point: tuple[jax.Array, jax.Array]) -> Any:
        vector, key = point
        with posterior.as_read():
            return _predicting_fit(posterior, vector).predict(key)

    return jax.lax.map(predicted, (vectors, keys), batch_size=POINTS_AT_ONCE)


def _check_shapes(data: Any, observed: Any) -> None:
    """Raise where predicted data, stacked, are not like the observed ones."""
    drawn = [np.shape(leaf)[1:] for leaf in jax.tree_util.tree_leaves(data)]
    seen = [np.shape(leaf) for leaf in jax.tree_util.tree_leaves(observed)]
    if drawn != seen:
        raise ValueError(
            f"expected predict(key) to return data of the shape of the fit's, {seen}; "
            f"got {drawn}; give each datum one value"
        )


def _check_replaced(simulated: Posterior, vector: np.ndarray, data: Any) -> None:
    """Raise where an analysis of simulated data still fits others."""
    instance = simulated.model.instance_from_vector(vector)
    fitted = simulated.analysis.fit_for_visualization(instance).data
    pairs = zip(*map(jax.tree_util.tree_leaves, (fitted, data)), strict=True)
    if not all(np.allclose(new, old, equal_nan=True) for new, old in pairs):
        raise ValueError(
            f"expected with_data of {type(simulated.analysis).__qualname__} to return "
            "an analysis whose fit has the new data; got another fit.data; put the "
            "data where fit_from takes them from"
        )
