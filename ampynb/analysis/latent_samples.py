"""Latent variables of draws: computed in batches, or one by one in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.batches import in_batches
from ampynb.analysis.joint import JointAnalysis
from ampynb.analysis.latent import Latent, LatentError, LatentSamples, check_names
from ampynb.analysis.posterior import Posterior
from ampynb.model.arrays import Bundle, is_array
from ampynb.model.table import Row

__all__ = ["check_latents", "has_latents", "latent_samples"]

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
    sources = _sources(posterior)
    if not sources:
        return None
    leading, vectors = position.shape[:-1], position.reshape(-1, position.shape[-1])
    nothing = LatentSamples((), np.zeros((*leading, 0)))
    if not len(vectors):
        return nothing
    if posterior.analysis.use_jax:
        values, errors = _compiled(posterior, vectors, int(size)), []
    else:
        values, errors = _one_by_one(sources, vectors)
    if not values:
        return nothing
    rows = _rows(posterior, {name: each.shape[1:] for name, each in values.items()})
    flat = [each.reshape(len(vectors), -1) for each in values.values()]
    joined = np.concatenate(flat, axis=1).reshape(*leading, -1)
    told = _told(errors[0]) if errors else ""
    return LatentSamples(rows, joined, failed=len(errors), error=told)


def has_latents(posterior: Posterior) -> bool:
    """Return whether the analysis, or one of a joint one, has latent variables.

    Raises
    ------
    LatentError
        For what is wrong with their names.
    """
    own_way = type(posterior.analysis).compute_latent_samples
    return own_way is not Analysis.compute_latent_samples or bool(_sources(posterior))


def check_latents(posterior: Posterior) -> None:
    """Raise `LatentError` for what is wrong before there is any draw.

    An analysis in JAX is traced, and nothing is computed.
    """
    if _sources(posterior) and posterior.analysis.use_jax:
        vector = jax.ShapeDtypeStruct((posterior.model.ndim,), jnp.result_type(float))
        values = _traced(posterior, jax.eval_shape, _evaluate_one, posterior, vector)
        _rows(posterior, {name: each.shape for name, each in values.value().items()})


class _Source(NamedTuple):
    """An analysis that has latent variables, with the model that it sees.

    Their names begin with ``prefix``, the name of the analysis in a joint one.
    """

    prefix: str
    analysis: Any
    model: Any

    def evaluate(self, vector: Any, xp: Any) -> dict[str, Any]:
        """Return the latent variables of one point by name, as arrays."""
        named = _named(self.analysis, self.model, vector, xp)
        return {f"{self.prefix}{name}": value for name, value in named.items()}


def _sources(posterior: Posterior) -> list[_Source]:
    """Return the analyses that have latent variables, those of a joint one too."""
    found = list(_sources_of(posterior.analysis, posterior.model, ""))
    keys = [f"{one.prefix}{key}" for one in found for key in one.analysis.LATENT_KEYS]
    check_names(tuple(keys), posterior.model)
    return found


def _sources_of(analysis: Any, model: Any, prefix: str) -> Iterator[_Source]:
    if analysis.has_latents:
        yield _Source(prefix, analysis, model)
    elif len(analysis.LATENT_KEYS):
        raise LatentError(
            f"expected {type(analysis).__qualname__} to have "
            "compute_latent_variables(self, parameters, model) for LATENT_KEYS "
            f"({', '.join(analysis.LATENT_KEYS)}); got none; write it, or drop "
            "LATENT_KEYS"
        )
    if isinstance(analysis, JointAnalysis):
        for name, member, seen in analysis.member_models(model):
            yield from _sources_of(member, seen, f"{prefix}{name}.")


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
        analyses = [source.analysis for source in _sources(posterior)]
        raise LatentError(_failed(analyses, error)) from error


@jax.jit
def _evaluate(posterior: Posterior, vectors: jax.Array) -> Bundle:
    return jax.vmap(functools.partial(_evaluate_one, posterior))(vectors)


def _evaluate_one(posterior: Posterior, vector: jax.Array) -> Bundle:
    values: dict[str, Any] = {}  # which a bundle keeps in its own order
    with posterior.as_read():
        for source in _sources(posterior):
            values |= source.evaluate(vector, jnp)
    return Bundle(values)


# In NumPy


def _one_by_one(
    sources: Sequence[_Source], vectors: np.ndarray
) -> tuple[dict[str, np.ndarray], list[Exception]]:
    """Compute draw by draw; return the values and an error for each draw that failed.

    Where one analysis fails its values are NaN, and those of the others are kept.
    """
    values: dict[str, np.ndarray] = {}
    errors: dict[int, Exception] = {}
    for source in sources:
        found, failed = _of_source(source, vectors)
        values |= found
        errors = {**failed, **errors}
    return values, [errors[draw] for draw in sorted(errors)]


def _of_source(
    source: _Source, vectors: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[int, Exception]]:
    """Return the values of one analysis, and the errors by the index of the draw."""
    computed: list[dict | None] = []
    errors: dict[int, Exception] = {}
    for draw, vector in enumerate(vectors):
        try:
            computed.append(source.evaluate(vector, np))
        except LatentError:
            raise
        except Exception as error:
            computed.append(None)
            errors[draw] = error
    if len(errors) == len(vectors):
        raise LatentError(_failed([source.analysis], errors[0])) from errors[0]
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


def _named(analysis: Any, model: Any, vector: Any, xp: Any) -> dict[str, Any]:
    """Return the latent variables of one analysis at one point by name, as arrays."""
    keys = tuple(analysis.LATENT_KEYS)
    returned = analysis.compute_latent_variables(vector, model)
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
    given = {
        f"{source.prefix}{key}": about
        for source in _sources(posterior)
        if isinstance(source.analysis.LATENT_KEYS, Mapping)
        for key, about in source.analysis.LATENT_KEYS.items()
    }
    rows, start = [], 0
    for name, shape in shapes.items():
        about = given.get(name, Latent())
        row = Row(
            name,
            "latent",
            tuple(shape),
            start,
            unit=about.unit,
            label=about.label,
            period=about.period,
        )
        rows.append(row)
        start += row.size
    return tuple(rows)


def _failed(analyses: Sequence[Any], error: Exception) -> str:
    keys = [key for analysis in analyses for key in analysis.LATENT_KEYS]
    of = f" of {', '.join(keys)}" if keys else ""
    kind = " or ".join(dict.fromkeys(type(one).__qualname__ for one in analyses))
    in_jax = analyses[0].use_jax
    how = "for one point, in jax.numpy" if in_jax else "for one point"
    return (
        f"expected {kind}.compute_latent_variables to give the values{of}; got "
        f"{_told(error)}; write it {how}"
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]
