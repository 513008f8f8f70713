"""Draws from a model's prior, and what is known of it through them alone."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ampynb.model.coordinates import (
    Block,
    allows,
    joined,
    read_parts,
    read_vector,
    reader,
)
from ampynb.model.function import Function
from ampynb.model.prior_check import are_numbers_valid, check_numbers
from ampynb.model.prior_numbers import Numbers
from ampynb.model.quantile import bounds, central_interval
from ampynb.model.table import Row

if TYPE_CHECKING:
    from ampynb.model.model import Model

__all__ = [
    "allowed_fraction",
    "bounds_of",
    "check_dependent_priors",
    "draw_allowed",
    "interval_of",
]

MARGINAL_DRAWS = 20_001
ROUNDS, SMALLEST_BATCH = 1000, 1000
MEDIANS_AND_QUARTILES = ((0, 0.0), (0, 0.5), (1, 0.5))  # edge, and central mass


@functools.partial(jax.jit, static_argnames="n")
def draw(model: Model, key: jax.Array, n: int) -> jax.Array:
    """Draw vectors from the priors, assertions aside: (n, ndim)."""
    names = [row.name for row, _ in model.free()]
    keys = dict(
        zip(names, jax.random.split(key, max(len(model.rows), 1)), strict=False)
    )
    parts: list[Any] = []
    for block in model.blocks:
        of_rows = jnp.stack([keys[row.name] for row in block.rows])
        parts.append(_draw_block(model, block, parts, of_rows, n))
    if not parts:
        return jnp.zeros((n, 0))
    return jax.vmap(functools.partial(joined, model))(parts)


def _draw_block(
    model: Model, block: Block, parts: list, keys: jax.Array, n: int
) -> jax.Array:
    """Draw a block's rows, (n, n_rows, *shape), after the blocks in ``parts``."""
    if not isinstance(block.prior, Function):
        of_row = jax.vmap(lambda one, key: one.prior.sample(key, (n,)), out_axes=1)
        return of_row(Numbers(block.prior), keys)

    def of_draw(parts: list, key: jax.Array) -> jax.Array:
        prior = block.prior.at(read_parts(model, parts))
        drawn = prior.sample(key)
        return jnp.where(are_numbers_valid(prior), drawn, jnp.nan)[None]

    return jax.vmap(of_draw)(parts, jax.random.split(keys[0], n))


def draw_allowed(model: Model, key: jax.Array, n: int) -> jax.Array:
    """Draw vectors from the prior where every assertion holds: (n, ndim).

    Raises
    ------
    ValueError
        Where they hold at less than about one draw in a thousand. In compiled code,
        which cannot raise, the draws that are missing are NaN.
    """
    vectors, found = _draw_allowed(model, key, n)
    if isinstance(found, Tracer):
        return vectors
    if int(found) < n:
        raise ValueError(_hardly_allowed(model, key))
    if _has_dependent_priors(model) and np.isnan(vectors).any():
        raise ValueError(_sometimes_impossible(model, np.asarray(vectors)))
    return vectors


def _has_dependent_priors(model: Model) -> bool:
    return any(isinstance(block.prior, Function) for block in model.blocks)


def _sometimes_impossible(model: Model, vectors: np.ndarray) -> str:
    """Return the message for draws that a prior which depends on others has not."""
    impossible = np.isnan(vectors)
    row = next(row for row, _ in model.free() if impossible[:, row.span].any())
    missing = impossible[:, row.span].any(axis=1)
    known = dict(zip(model.names, vectors[np.argmax(missing)], strict=True))
    told = ", ".join(f"{n}={x:.6g}" for n, x in known.items() if np.isfinite(x))
    return (
        f"parameter {row.name!r}: expected a prior that is possible wherever the "
        f"others are; got {model.entry(row.name)[1]} with {told}, and so at "
        f"{missing.mean():.0%} of the draws; keep the lower bound below the upper one "
        "and scales positive there"
    )


def check_dependent_priors(model: Model) -> None:
    """Raise where a prior that depends on others is impossible wherever they are.

    It is looked at with the others at their medians, and then at their quartiles:
    what is impossible only at some draws is an error when the prior is sampled. That
    of a parameter with a period must be one period wide at all of them.
    """
    if not _has_dependent_priors(model):
        return
    found, errors = [], []
    for edge, mass in MEDIANS_AND_QUARTILES:
        try:
            found.append(_dependent_priors(model, edge, mass))
        except ValueError as error:
            errors.append(error)
        if found and not model.wraps:
            return
    if not found:
        raise errors[0]
    for row, prior in itertools.chain(*found):
        if row.period is not None:
            _check_width(row, row.period, prior, model.entry(row.name)[1])


def _dependent_priors(model: Model, edge: int, mass: float) -> list[tuple[Row, Any]]:
    """Return them with the others at an edge of their central interval."""
    values: dict[str, Any] = {}
    value = reader(model, values.__getitem__)
    found = []
    for block in model.blocks:
        for i, row in enumerate(block.rows):
            prior = block.prior_of(i)
            if isinstance(prior, Function):
                prior = prior.at(value)
                try:
                    check_numbers(prior)
                except ValueError as error:
                    raise ValueError(
                        f"parameter {row.name!r}, with the others at their prior "
                        f"medians: {error}"
                    ) from None
                found.append((row, prior))
            values[row.name] = central_interval(prior, mass)[edge]
    return found


def _check_width(row: Row, period: float, prior: Any, given: Any) -> None:
    """Raise where a prior is not one period wide."""
    low, high = bounds(prior)
    width = np.ravel(np.asarray(high) - np.asarray(low))
    if not np.allclose(width, period, rtol=1e-6, atol=0):
        raise ValueError(
            f"parameter {row.name!r}: expected a prior whose support is one period, "
            f"{period:.6g}, wide; got {given}, which is {width[0]:.6g} wide; make "
            "it as wide as the period, or leave the period out"
        )


def _hardly_allowed(model: Model, key: jax.Array) -> str:
    violated = [model.violated(vector) for vector in draw(model, key, 100)]
    told = (
        f"{name!r} holds at {sum(name not in each for each in violated)} of 100"
        for name in model.assertions
    )
    return (
        "expected assertions that hold at one draw in a thousand from the priors, or "
        f"more; got fewer: {', '.join(told)}; move the priors to where they hold, or "
        "put an assertion into a prior, as in b=lambda m: dist.Uniform(m.a, 10)"
    )


@functools.partial(jax.jit, static_argnames="n")
def _draw_allowed(model: Model, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """Draw vectors from the priors where the assertions hold, by rejection.

    Returns
    -------
    vectors : array, (n, ndim)
        NaN where none was found.
    found : int
        How many were; fewer than ``n`` where less than about one draw in a thousand
        is allowed.
    """
    if not model.assertions:
        return draw(model, key, n), jnp.asarray(n)
    batch = max(n, SMALLEST_BATCH)

    def more(state: tuple) -> tuple:
        vectors, found, key, rounds = state
        key, key_now = jax.random.split(key)
        drawn = draw(model, key_now, batch)
        good = jax.vmap(functools.partial(allows, model))(drawn)
        # The allowed ones fill the next free places, in order; the rest have none.
        places = jnp.where(good, found + jnp.cumsum(good) - 1, n)
        vectors = vectors.at[places].set(drawn, mode="drop")
        return vectors, found + jnp.sum(good), key, rounds + 1

    start = (jnp.full((n, model.ndim), jnp.nan), jnp.asarray(0), key, 0)
    vectors, found, *_ = jax.lax.while_loop(
        lambda state: (state[1] < n) & (state[3] < ROUNDS), more, start
    )
    return vectors, jnp.minimum(found, n)


def allowed_fraction(model: Model, key: jax.Array, n: int) -> tuple[float, float]:
    """Return the share of draws at which the assertions hold, and its error."""
    share = float(np.mean(_are_allowed(model, key, n)))
    return share, float(np.sqrt(share * (1 - share) / n))


@functools.partial(jax.jit, static_argnames="n")
def _are_allowed(model: Model, key: jax.Array, n: int) -> jax.Array:
    return jax.vmap(functools.partial(allows, model))(draw(model, key, n))


def bounds_of(model: Model) -> np.ndarray:
    """Return the edges of the priors' support, (ndim, 2).

    Infinite where it is open, or where they depend on other parameters.
    """
    return _by_element(
        _bounds_at_draws(model, row) if isinstance(prior, Function) else bounds(prior)
        for row, prior in model.free()
    )


def interval_of(model: Model, mass: float) -> np.ndarray:
    """Return the central interval of each element's prior, (ndim, 2).

    Of a parameter that wraps, the one whose middle is within the prior's support.
    """
    pairs = _by_element(
        _interval_of_draws(model, row, mass)
        if isinstance(prior, Function)
        else central_interval(prior, mass)
        for row, prior in model.free()
    )
    if model.wraps:
        middle = pairs.mean(axis=1)
        pairs = pairs + (np.asarray(model.wrap(middle)) - middle)[:, None]
    return pairs


def _by_element(pairs: Iterable[tuple]) -> np.ndarray:
    """Return lower and upper edges of parameters as one row for each element."""
    parts = [np.stack([np.ravel(edge) for edge in pair], 1) for pair in pairs]
    return np.concatenate(parts) if parts else np.zeros((0, 2))


def _interval_of_draws(model: Model, row: Row, mass: float) -> tuple:
    draws = np.asarray(draw(model, jax.random.key(0), MARGINAL_DRAWS))[:, row.span]
    tails = ((1 - mass) / 2, (1 + mass) / 2)
    return tuple(np.quantile(draws, tails, axis=0))


def _bounds_at_draws(model: Model, row: Row) -> tuple:
    """Return the edges of a prior that are the same whatever it depends on."""
    prior = model.entry(row.name)[1]
    draws = np.asarray(draw(model, jax.random.key(0), 8))
    found = [bounds(prior.at(read_vector(model, one))) for one in draws]
    lower, upper = (np.stack(edges) for edges in zip(*found, strict=True))
    return (
        np.where(np.all(lower == lower[0], axis=0), lower[0], -np.inf),
        np.where(np.all(upper == upper[0], axis=0), upper[0], np.inf),
    )
