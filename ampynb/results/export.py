"""From a result to ArviZ's groups."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

from ampynb.algorithms.tempered import EVERY_TEMPERATURE
from ampynb.analysis.batches import in_batches
from ampynb.analysis.fit import used_in
from ampynb.analysis.joint import fits_in
from ampynb.analysis.latent import LatentError
from ampynb.analysis.program import ChangedError
from ampynb.model.table import Row
from ampynb.results.inference_data import container_from
from ampynb.results.netcdf import RECORD, TOTAL_LOG_LIKELIHOOD, own_name, record_of

if TYPE_CHECKING:
    from ampynb.analysis.posterior import Posterior
    from ampynb.results.result import Result

__all__ = ["inference_data"]

PRIOR_DRAWS = 1000
MOST_BYTES = 200 * 2**20
BATCH = 1000
BY_DRAW = {  # of a fit, by ArviZ's group
    "log_likelihood": "pointwise_log_likelihood",
    "posterior_predictive": "predict",
}


def inference_data(result: Result, changed: ChangedError | None = None) -> Any:
    """Return a result as ArviZ's container.

    Parameters
    ----------
    result : Result
    changed : ChangedError, optional
        Says that the data are others than those of the draws, and are left out.

    Notes
    -----
    Groups: ``posterior``, ``sample_stats``, ``prior``, those of the warm-up, and where
    the analysis returns a fit ``observed_data``, ``constant_data``, ``log_likelihood``
    and ``posterior_predictive``: of a variable ``data``, or of one with the name of
    each analysis that is fitted jointly. The last two hold one number for each draw
    and datum; they are left out where that is more than 200 MiB, and an attribute
    says so, as for a likelihood in NumPy. Masked data are in none of these. Latent
    variables are in ``latent``, in step with ``posterior``; draws of unequal weight and
    their latent variables in ``weighted_posterior`` and ``weighted_latent``. The log
    likelihood of all data is called ``total_log_likelihood`` among the statistics,
    where ArviZ takes ``log_likelihood`` for that of a single datum.
    """
    table = result.table
    groups = {
        "posterior": _variables(table, result.draws),
        "sample_stats": _stats(result.stats),
    }
    if result.has_posterior:
        key = jax.random.key(result.seed)
        prior = np.asarray(result.model.sample_prior(key, PRIOR_DRAWS))
        groups["prior"] = _variables(table, prior[:, None])
    if len(result.warmup):
        groups["warmup_posterior"] = _variables(table, result.warmup)
        groups["warmup_sample_stats"] = _stats(result.warmup_stats)
    rows = [row for row in table.rows if row.kind == "free"]
    names = [row.name for row in rows]
    data, omitted = _data_groups(result, changed)
    return container_from(
        groups | data,
        dims={
            row.name: _further_axes(row.name, len(row.shape), names)
            for row in rows
            if row.shape
        },
        coords={},
        attributes=_attributes(result) | omitted,
        variable_attributes={row.name: _about(row) for row in rows},
        further=_further_groups(result) | _latent_groups(result),
    )


def _further_groups(result: Result) -> dict[str, xr.Dataset]:
    """Return what ArviZ has no group for.

    Weighted draws, those of every temperature, and numbers of whole steps.
    """
    groups, weighted = {}, dict(result.outcome.weighted)
    names = [row.name for row in result.table.rows if row.kind == "free"]
    if weighted:
        position = weighted.pop("position")
        groups["weighted_posterior"] = xr.Dataset(
            _with_axes(result.table.rows, position, "sample")
            | {
                own_name(name, names): (own_name("sample", names), values)
                for name, values in weighted.items()
            }
        )
    if result.outcome.tempered:
        groups["tempered_posterior"] = _tempered_posterior(result)
    numbers = {
        name: np.asarray(values)
        for name, values in result.step_stats.items()
        if name not in EVERY_TEMPERATURE.values()
    }
    if numbers:
        groups["step_stats"] = xr.Dataset(
            {
                name: (["draw", *_further_axes(name, values.ndim - 1)], values)
                for name, values in numbers.items()
            }
        )
    return groups


def _tempered_posterior(result: Result) -> xr.Dataset:
    """Return the draws of every temperature, (temperature, chain, draw, ...)."""
    arrays = dict(result.outcome.tempered)
    beta = arrays.pop("beta")
    by_chain = {name: np.moveaxis(values, 0, 2) for name, values in arrays.items()}
    position = by_chain.pop("position")
    names = [row.name for row in result.table.rows if row.kind == "free"]
    temperature = own_name("temperature", names)
    axes = [temperature, "chain", "draw"]
    with np.errstate(divide="ignore"):  # the prior's is infinite
        coordinates = {
            temperature: 1 / beta,
            own_name("beta", names): (temperature, beta),
        }
    return xr.Dataset(
        _with_axes(result.table.rows, position, *axes)
        | {own_name(name, names): (axes, values) for name, values in by_chain.items()},
        coords=coordinates,
    )


def _latent_groups(result: Result) -> dict[str, xr.Dataset]:
    """Return the latent variables in step with the draws, and with weighted ones."""
    latents = result.latents_or_error
    if not latents or isinstance(latents, LatentError):
        return {}
    rows, points = latents.samples.rows, latents.points
    position = np.moveaxis(latents.samples.position, 1, 0)
    nchains, ndraws = position.shape[:2]
    groups = {
        "latent": xr.Dataset(
            _with_axes(rows, position, "chain", "draw"),
            coords={"chain": np.arange(nchains), "draw": np.arange(ndraws)},
            attrs={"samples_summary": json.dumps(latents.summary.as_dict())},
        )
    }
    if points.weights is not None:
        weighted = _with_axes(rows, points.values, "sample")
        groups["weighted_latent"] = xr.Dataset(weighted)
    return groups


def _with_axes(
    rows: Sequence[Row], position: np.ndarray, *axes: str
) -> dict[str, tuple]:
    """Return free parameters or latent variables with names of all axes, and units.

    Parameters
    ----------
    rows : sequence of Row
    position : array, (..., ndim)
    *axes : str
        Names of its axes but the last.
    """
    rows = [row for row in rows if row.kind in ("free", "latent")]
    names = [row.name for row in rows]
    leading = [own_name(axis, names) for axis in axes]
    return {
        row.name: (
            [*leading, *_further_axes(row.name, len(row.shape), names)],
            position[..., row.span].reshape(*position.shape[:-1], *row.shape),
            _about(row),
        )
        for row in rows
    }


def _about(row: Row) -> dict[str, Any]:
    about: dict[str, Any] = {"units": row.unit, "long_name": row.label or row.name}
    return about if row.period is None else about | {"period": row.period}


def _further_axes(name: str, n: int, names: Sequence[str] = ()) -> list[str]:
    return [own_name(f"{name}_dim_{i}", names) for i in range(n)]


def _variables(model: Any, position: np.ndarray) -> dict[str, np.ndarray]:
    """Return the free parameters as (chain, draw, ...) arrays."""
    chains = np.moveaxis(position, 1, 0)
    return {
        row.name: chains[..., row.span].reshape(*chains.shape[:2], *row.shape)
        for row in model.rows
        if row.kind == "free"
    }


def _stats(stats: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    by_chain = {name: np.moveaxis(values, 1, 0) for name, values in stats.items()}
    if "log_likelihood" in by_chain:
        by_chain[TOTAL_LOG_LIKELIHOOD] = by_chain.pop("log_likelihood")
    return by_chain


def _attributes(result: Result) -> dict[str, Any]:
    from ampynb import __version__

    algorithm = result.algorithm
    settings = {
        "nwalkers": algorithm.nwalkers,
        "burn": algorithm.burn,
        "iterations": algorithm.iterations,
    }
    return {
        "inference_library": "ampynb",
        "inference_library_version": __version__,
        "sampler": algorithm.name,
        "settings": json.dumps(settings),
        "seed": result.seed,
        "sampling_time": result.seconds,
        "stop_reason": result.reason,
        RECORD: record_of(result),
        **_circular(result.table),
    } | _number_attributes(result)


def _circular(table: Any) -> dict[str, str]:
    """Return the names of what wraps, as ``arviz.summary`` takes them, in JSON."""
    wraps = [r.name for r in table.rows if r.kind == "free" and r.period is not None]
    return {"circ_var_names": json.dumps(wraps)} if wraps else {}


def _number_attributes(result: Result) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if len(result.draws):
        summary = result.samples_summary.as_dict()
        attributes["samples_summary"] = json.dumps(summary)
    if result.log_evidence is not None:
        value, error = result.log_evidence
        attributes |= {"log_evidence": value, "log_evidence_error": error}
    return attributes


def _data_groups(result: Result, changed: ChangedError | None) -> tuple[dict, dict]:
    """Return the groups that a fit gives, and attributes that say what is missing."""
    if not result.has_posterior or not len(result.draws):
        return {}, {}
    analysis = result.analysis
    if changed is not None:  # the draws are of other data
        lost = ["what a fit gives"] if analysis.has_fit else []
        if isinstance(result.latents_or_error, LatentError):
            lost.append("latent variables")
        if not lost:
            return {}, {}
        left_out = f"data, and {' and '.join(lost)}: {changed}"
        warnings.warn(f"left out of idata: {left_out}", stacklevel=4)
        return {}, {"left_out": left_out}
    if not analysis.has_fit:
        return {}, {}
    fit = analysis.fit_for_visualization(result.max_log_likelihood())
    fits = {name: one for name, one in fits_in(fit).items() if hasattr(one, "data")}
    if not fits:
        return {}, {}
    used = {name: used_in(one) for name, one in fits.items()}
    groups: dict = {
        "observed_data": {
            name: _used(np.asarray(one.data), used[name]) for name, one in fits.items()
        }
    }
    noises = _noises(fits, used)
    if noises:
        groups["constant_data"] = noises
    wanted = any(
        hasattr(one, attribute)
        for one in fits.values()
        for attribute in BY_DRAW.values()
    )
    if not wanted:
        return groups, {}
    if not analysis.use_jax:
        left_out = "log_likelihood and posterior_predictive: the likelihood is in NumPy"
        return groups, {"left_out": left_out}
    size = sum(np.size(one.data) for one in fits.values())
    if size * len(result.flat_draws) * 8 > MOST_BYTES:
        left_out = "log_likelihood and posterior_predictive: over 200 MiB each"
        return groups, {"left_out": left_out}
    by_draw = _by_draw(result.posterior, result.flat_draws, result.seed)
    shape = result.draws.shape[:2]
    for group, variables in by_draw.items():
        groups[group] = {
            name: np.moveaxis(values.reshape(*shape, *values.shape[1:]), 1, 0)
            for name, values in (
                (name, _used(values, used.get(name)))
                for name, values in variables.items()
            )
        }
    return groups, {}


def _used(values: np.ndarray, used: np.ndarray | None) -> np.ndarray:
    """Return what is of data that are used, in one axis where some are not.

    Masked data are no data: they would count in LOO and in statistics of the data.
    """
    if used is None or used.all() or values.shape[-used.ndim :] != used.shape:
        return values
    return values[..., used]


def _noises(
    fits: Mapping[str, Any], used: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the noise of each datum, where a fit has it."""
    found = {}
    for name, fit in fits.items():
        noise: Any = getattr(fit, "noise", None)
        if np.shape(noise):
            of_fit = "noise" if name == "data" else f"{name}_noise"
            found[of_fit] = _used(np.asarray(noise), used[name])
    return found


def _by_draw(posterior: Posterior, vectors: np.ndarray, seed: int) -> dict[str, dict]:
    """Return each draw's pointwise log likelihood and one data set it predicts.

    By group, and by the name of the fit.
    """
    keys = jax.random.split(jax.random.key(seed), len(vectors))
    evaluate = functools.partial(_evaluate, posterior)
    return in_batches(evaluate, vectors, keys, size=BATCH)


@jax.jit
def _evaluate(posterior: Posterior, vectors: jax.Array, keys: jax.Array) -> dict:
    return jax.vmap(functools.partial(_evaluate_one, posterior))(vectors, keys)


def _evaluate_one(posterior: Posterior, vector: jax.Array, key: jax.Array) -> dict:
    values: dict[str, dict] = {group: {} for group in BY_DRAW}
    with posterior.as_read():
        instance = posterior.model.instance_from_vector(vector)
        fits = fits_in(posterior.analysis.fit_from(instance))
        keys = [key] if len(fits) == 1 else jax.random.split(key, len(fits))
        for key_of_fit, (name, fit) in zip(keys, fits.items(), strict=True):
            if hasattr(fit, "pointwise_log_likelihood"):
                values["log_likelihood"][name] = fit.pointwise_log_likelihood
            if hasattr(fit, "predict"):
                values["posterior_predictive"][name] = fit.predict(key_of_fit)
    return {group: by_name for group, by_name in values.items() if by_name}
