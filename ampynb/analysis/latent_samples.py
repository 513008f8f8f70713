"""Latent variables of draws: computed in batches, or one by one in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.batches import in_batches
from ampynb.analysis.latent import Latent, LatentError, LatentSamples, check_names
from ampynb.analysis.posterior import Posterior
from ampynb.model.arrays import Bundle, is_array
from ampynb.model.table import Row

__all__ = ["check_latents", "latent_samples"]

BATCH = 256


def latent_samples(
    posterior: Posterior, position: np.ndarray, batch_size: int | None = None
) -> LatentSamples | None:
    """Compute the latent variables of draws, or return None where there are none.

    Parameters
    ----------
    posterior : Posterior
    position : array, (..., ndim) [model units]
    batch_size : int, optional
        Draws that are computed at once, for an analysis in JAX; 256 by default. It
        bounds the memory and plays no part in the values.

    Raises
    ------
    LatentError
        Where they cannot be computed at any draw, or are not those that
        ``LATENT_KEYS`` names.
    """
    size = BATCH if batch_size is None else batch_size
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(
            f"expected batch_size as a whole number, 1 or more; got {batch_size!r}; "
            f"leave it out for {BATCH}"
        )
    if not _has_latents(posterior):
        return None
    leading, vectors = position.shape[:-1], position.reshape(-1, position.shape[-1])
    nothing = LatentSamples((), np.zeros((*leading, 0)))
    if not len(vectors):
        return nothing
    if posterior.analysis.use_jax:
        values, errors = _compiled(posterior, vectors, int(size)), []
    else:
        values, errors = _one_by_one(posterior, vectors)
    if not values:
        return nothing
    rows = _rows(posterior, {name: each.shape[1:] for name, each in values.items()})
    flat = [each.reshape(len(vectors), -1) for each in values.values()]
    joined = np.concatenate(flat, axis=1).reshape(*leading, -1)
    told = _told(errors[0]) if errors else ""
    return LatentSamples(rows, joined, failed=len(errors), error=told)


def check_latents(posterior: Posterior) -> None:
    """Raise `LatentError` for what is wrong before there is any draw.

    An analysis in JAX is traced, and nothing is computed.
    """
    if _has_latents(posterior) and posterior.analysis.use_jax:
        vector = jax.ShapeDtypeStruct((posterior.model.ndim,), jnp.result_type(float))
        values = _traced(posterior, jax.eval_shape, _evaluate_one, posterior, vector)
        _rows(posterior, {name: each.shape for name, each in values.value().items()})


def _has_latents(posterior: Posterior) -> bool:
    analysis = posterior.analysis
    if not analysis.has_latents and len(analysis.LATENT_KEYS):
        raise LatentError(
            f"expected {type(analysis).__qualname__} to have "
            "compute_latent_variables(self, parameters, model) for LATENT_KEYS "
            f"({', '.join(analysis.LATENT_KEYS)}); got none; write it, or drop "
            "LATENT_KEYS"
        )
    check_names(tuple(analysis.LATENT_KEYS), posterior.model)
    return analysis.has_latents


# In JAX


def _compiled(
    posterior: Posterior, vectors: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    evaluate = functools.partial(_evaluate, posterior)
    return _traced(posterior, in_batches, evaluate, vectors, size=size).value()


def _traced(
    posterior: Posterior, function: Any, *arguments: Any, **options: Any
) -> Any:
    """Call what traces the user's function, and tell an error as one of the latents."""
    try:
        return function(*arguments, **options)
    except LatentError:
        raise
    except Exception as error:
        raise LatentError(_failed(posterior, error)) from error


@jax.jit
def _evaluate(posterior: Posterior, vectors: jax.Array) -> Bundle:
    return jax.vmap(functools.partial(_evaluate_one, posterior))(vectors)


def _evaluate_one(posterior: Posterior, vector: jax.Array) -> Bundle:
    return Bundle(_named(posterior, vector, jnp))  # a dictionary in its own order


# In NumPy


def _one_by_one(
    posterior: Posterior, vectors: np.ndarray
) -> tuple[dict[str, np.ndarray], list[Exception]]:
    """Compute draw by draw: one that fails is NaN, and its error is kept."""
    computed: list[dict | None] = []
    errors: list[Exception] = []
    for vector in vectors:
        try:
            computed.append(_named(posterior, vector, np))
        except LatentError:
            raise
        except Exception as error:
            computed.append(None)
            errors.append(error)
    if len(errors) == len(vectors):
        raise LatentError(_failed(posterior, errors[0])) from errors[0]
    first = next(one for one in computed if one is not None)
    nothing = {name: np.full(value.shape, np.nan) for name, value in first.items()}
    filled = [nothing if one is None else one for one in computed]
    _check_alike(first, filled)
    return {name: np.stack([one[name] for one in filled]) for name in first}, errors


def _check_alike(first: Mapping[str, Any], values: list[dict]) -> None:
    """Raise where a latent variable is there, or has its shape, at some draws only."""
    for one in values:
        if list(one) != list(first):
            raise LatentError(
                f"expected the same latent variables at each draw; got "
                f"{', '.join(first)} at one and {', '.join(one)} at another; return "
                "NaN where one is not defined"
            )
        for name, value in one.items():
            if value.shape != first[name].shape:
                raise LatentError(
                    f"expected the latent variable {name!r} with one shape at each "
                    f"draw; got {first[name].shape} and {value.shape}"
                )


# What the user's function returns


def _named(posterior: Posterior, vector: Any, xp: Any) -> dict[str, Any]:
    """Return the latent variables of one point by name, as arrays."""
    analysis = posterior.analysis
    keys = tuple(analysis.LATENT_KEYS)
    returned = analysis.compute_latent_variables(vector, posterior.model)
    if isinstance(returned, Mapping):
        missing = [name for name in keys if name not in returned]
        if missing:
            raise LatentError(
                f"expected the latent variables {', '.join(keys)}; got "
                f"{', '.join(map(str, returned)) or 'none'} without "
                f"{', '.join(missing)}; return each by its name in LATENT_KEYS"
            )
        given = {name: returned[name] for name in keys or returned}
    elif isinstance(returned, tuple | list) and len(returned) == len(keys):
        given = dict(zip(keys, returned, strict=True))
    else:
        several = isinstance(returned, tuple | list)
        got = f"{len(returned)} values" if several else type(returned).__qualname__
        raise LatentError(
            "expected a dictionary of latent variables by name, or a tuple of "
            f"{len(keys)} as LATENT_KEYS names ({', '.join(keys) or 'none'}); got "
            f"{got}; return for instance {{'fwhm': ...}}"
        )
    return {name: _number(name, value, xp) for name, value in given.items()}


def _number(name: str, value: Any, xp: Any) -> Any:
    if not (is_array(value) or isinstance(value, int | float)):
        raise LatentError(
            f"expected a number or an array for the latent variable {name!r}; got "
            f"{type(value).__qualname__}; return numbers only"
        )
    return xp.asarray(value, dtype=jnp.result_type(float))


def _rows(
    posterior: Posterior, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Row, ...]:
    """Return the table's rows, with the units and labels that the analysis gives."""
    check_names(tuple(shapes), posterior.model)
    keys: Any = posterior.analysis.LATENT_KEYS
    rows, start = [], 0
    for name, shape in shapes.items():
        about = keys[name] if isinstance(keys, Mapping) else Latent()
        row = Row(
            name, "latent", tuple(shape), start, unit=about.unit, label=about.label
        )
        rows.append(row)
        start += row.size
    return tuple(rows)


def _failed(posterior: Posterior, error: Exception) -> str:
    analysis = posterior.analysis
    of = f" of {', '.join(analysis.LATENT_KEYS)}" if len(analysis.LATENT_KEYS) else ""
    kind = type(analysis).__qualname__
    how = "for one point, in jax.numpy" if analysis.use_jax else "for one point"
    return (
        f"expected {kind}.compute_latent_variables to give the values{of}; got "
        f"{_told(error)}; write it {how}"
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]
