"""Priors in blocks, and the maps between a model's coordinates that they define.

Priors of one family and shape are stacked and mapped together, so that a model of
many parameters compiles as fast as one of few and runs as if written by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions.transforms import Transform, biject_to

from ampynb.model.circle import Phase, edges, wrapped
from ampynb.model.function import Function
from ampynb.model.prior_check import are_numbers_valid, check_dimension
from ampynb.model.prior_numbers import Numbers
from ampynb.model.quantile import has_quantile, quantile
from ampynb.model.table import Row

if TYPE_CHECKING:
    from ampynb.model.model import Model

__all__ = [
    "Block",
    "allows",
    "blocks_from",
    "constrain",
    "joined",
    "log_density",
    "log_jacobian",
    "prior_transform",
    "read_parts",
    "read_vector",
    "unconstrain",
    "wrap",
]


@dataclass(frozen=True, eq=False)
class Block:
    """Rows whose priors are mapped together.

    Attributes
    ----------
    rows : tuple of Row
        Of one shape; a single one where the prior depends on other parameters.
    prior : Distribution or Function
        With a leading axis of rows on each of its numbers; or the function that gives
        the prior.
    """

    rows: tuple[Row, ...]
    prior: Any

    @property
    def places(self) -> np.ndarray:
        """Places of the elements in the vector, (n_rows, size)."""
        return np.array(
            [np.arange(row.start, row.start + row.size) for row in self.rows]
        )

    @property
    def period(self) -> float | None:
        """The period of its rows, where they wrap."""
        return self.rows[0].period

    def take(self, vector: jax.Array) -> jax.Array:
        """Return the block's part of a vector, (n_rows, *shape)."""
        return vector[self.places].reshape(-1, *self.rows[0].shape)

    def map(self, rule: Callable, parts: jax.Array, value: Callable) -> Any:
        """Return ``rule(prior, part)`` of each row, stacked."""
        if isinstance(self.prior, Function):
            found = rule(self.prior.at(value), parts[0])
            return jax.tree_util.tree_map(lambda one: one[None], found)
        return jax.vmap(lambda one, part: rule(one.prior, part))(
            Numbers(self.prior), parts
        )

    def prior_of(self, row: int) -> Any:
        """Return the prior of one of the rows, or the function that gives it."""
        if isinstance(self.prior, Function):
            return self.prior
        numbers = Numbers(self.prior)
        return jax.tree_util.tree_map(lambda one: one[row, ...], numbers).prior


def blocks_from(
    rows: Sequence[Row], priors: Mapping[str, dist.Distribution | Function]
) -> tuple[Block, ...]:
    """Return free rows in blocks; each comes after those that it depends on."""
    alike: dict[Any, list[tuple[Row, list]]] = {}
    single = []
    for row in rows:
        prior = priors[row.name]
        if isinstance(prior, Function):
            single.append(Block((row,), prior))
            continue
        leaves, structure = jax.tree_util.tree_flatten(prior)
        key = (structure, tuple(map(np.shape, leaves)), row.period)
        if key not in alike:
            check_dimension(row.name, prior)
        alike.setdefault(key, []).append((row, leaves))
    stacked = []
    for (structure, *_), members in alike.items():
        leaves = [np.stack(each) for each in zip(*(m[1] for m in members), strict=True)]
        prior = jax.tree_util.tree_unflatten(structure, leaves)
        stacked.append(Block(tuple(member[0] for member in members), prior))
    return (*stacked, *single)


def reader(model: Model, free: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function from any parameter's name to its value.

    Parameters
    ----------
    model : Model
    free : callable
        From a free parameter's name to its value.
    """

    @functools.cache
    def value(name: str) -> Any:
        row, given = model.entry(name)
        if row.source is not None:
            return value(row.source)
        if row.kind == "derived":
            return given.at(value)
        return free(name) if row.kind == "free" else given

    return value


def read_vector(model: Model, vector: Any) -> Callable[[str], Any]:
    """Return a function from any parameter's name to its value at a vector.

    Values of parameters that wrap are those within their priors' support.
    """
    wraps_in_numpy = model.wraps and not isinstance(vector, jax.Array)
    if model.wraps and not wraps_in_numpy:
        vector = wrap(model, vector)

    def free(name: str) -> Any:
        row, given = model.entry(name)
        part = vector[row.span]
        part = part.reshape(row.shape) if row.shape else part[0]
        if row.period is None or not wraps_in_numpy:
            return part
        prior = given.at(value) if isinstance(given, Function) else given
        return wrapped(part, *edges(prior), row.period)

    value = reader(model, free)
    return value


def read_parts(model: Model, parts: Sequence[Any]) -> Callable[[str], Any]:
    """Return the same for the values of the first few blocks."""
    places = {
        row.name: (values, i)
        for block, values in zip(model.blocks, parts, strict=False)
        for i, row in enumerate(block.rows)
    }

    def free(name: str) -> Any:
        values, i = places[name]
        return values[i]

    return reader(model, free)


def joined(model: Model, parts: Sequence[Any]) -> jax.Array:
    """Return the blocks' values, each (n_rows, *shape), as one vector."""
    if not parts:
        return jnp.zeros(0)
    order = np.argsort(np.concatenate([b.places.ravel() for b in model.blocks]))
    return jnp.concatenate([jnp.ravel(part) for part in parts])[order]


def _forward(model: Model, point: jax.Array, rule: Callable) -> jax.Array:
    """Map a point to the vector, a prior that depends on others after these."""
    parts: list[Any] = []
    for block in model.blocks:
        value = read_parts(model, parts)
        of_block = functools.partial(rule, block.period)
        parts.append(block.map(of_block, block.take(point), value))
    return joined(model, parts)


def _transform(period: float | None, prior: dist.Distribution) -> Transform | Phase:
    """Return the map from the real line, or space, to the prior's support.

    A bijection, unless the parameter wraps.
    """
    if period is None:
        return biject_to(prior.support)
    return Phase(*edges(prior), period)


def wrap(model: Model, vector: jax.Array) -> jax.Array:
    """Move what wraps by whole periods into its prior's support."""

    def rule(period: float | None, prior: dist.Distribution, part: jax.Array) -> Any:
        return part if period is None else wrapped(part, *edges(prior), period)

    return _forward(model, vector, rule)


def constrain(model: Model, z: jax.Array) -> jax.Array:
    """Map unconstrained ``z`` to the vector."""
    return _forward(model, z, lambda period, prior, z: _transform(period, prior)(z))


def prior_transform(model: Model, u: jax.Array) -> jax.Array:
    """Map the unit cube to the vector.

    Raises
    ------
    ValueError
        Where a prior has no distribution function; it names each.
    """
    missing = _without_quantile(model)
    if missing:
        raise ValueError(
            "expected priors with a distribution function; numpyro has none for "
            f"{', '.join(missing)}; use for instance Uniform, Normal, TruncatedNormal, "
            "LogUniform or LogNormal, or a sampler that does not need the unit cube"
        )
    return _forward(model, u, _quantile_of_one)


def _quantile_of_one(
    period: float | None, prior: dist.Distribution, part: jax.Array
) -> jax.Array:
    """Return the quantile; NaN where a prior that depends on others is impossible."""
    value = jnp.where(are_numbers_valid(prior), quantile(prior, part), jnp.nan)
    return value if period is None else wrapped(value, *edges(prior), period)


def _without_quantile(model: Model) -> list[str]:
    """Return the names of the free parameters whose prior has no quantile function."""
    missing = []
    for block in model.blocks:
        prior = block.prior_of(0)
        if isinstance(prior, Function):
            prior = prior.at(lambda name: jnp.ones(model.entry(name)[0].shape))
        if not has_quantile(prior):
            missing += [row.name for row in block.rows]
    return [row.name for row in model.rows if row.name in missing]


def unconstrain(model: Model, vector: jax.Array) -> jax.Array:
    """Map the vector to unconstrained ``z``."""
    value = read_vector(model, vector)

    def rule(period: float | None, prior: dist.Distribution, part: jax.Array) -> Any:
        return _transform(period, prior).inv(part)

    parts = [
        block.map(functools.partial(rule, block.period), block.take(vector), value)
        for block in model.blocks
    ]
    return joined(model, parts)


def log_jacobian(model: Model, z: jax.Array) -> jax.Array:
    """Return ln of the absolute determinant of d vector / d z.

    The matrix is triangular by blocks: a prior's edges may depend on parameters before
    it, and its own derivatives are the diagonal.
    """

    def rule(period: float | None, prior: dist.Distribution, part: jax.Array) -> tuple:
        transform = _transform(period, prior)
        value: Any = transform(part)
        return value, jnp.sum(transform.log_abs_det_jacobian(part, value))

    parts: list[Any] = []
    total = jnp.zeros(())
    for block in model.blocks:
        value = read_parts(model, parts)
        of_block = functools.partial(rule, block.period)
        values, logs = block.map(of_block, block.take(z), value)
        parts.append(values)
        total += jnp.sum(logs)
    return total


def log_density(model: Model, vector: jax.Array) -> jax.Array:
    """Return the log prior density; -inf outside the support and the assertions."""
    parts: list[Any] = []
    total = jnp.zeros(())
    for block in model.blocks:
        # Priors and assertions that depend on others see them inside their support.
        value = read_parts(model, parts)
        of_block = functools.partial(_log_density_of_one, block.period)
        logs, safe = block.map(of_block, block.take(vector), value)
        parts.append(safe)
        total += jnp.sum(logs)
    allowed = _all_hold(model, read_parts(model, parts))
    return total if allowed is None else jnp.where(allowed, total, -jnp.inf)


def _log_density_of_one(
    period: float | None, prior: dist.Distribution, value: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the log density of a value, and the value or one inside the support."""
    if period is not None:
        value = wrapped(value, *edges(prior), period)
    support: Any = prior.support
    inside = jnp.asarray(support(value))
    # Outside, a density may be NaN and would spoil the gradient inside.
    safe: Any = _transform(period, prior)(jnp.zeros(jnp.shape(value)))
    event = (1,) * (jnp.ndim(value) - jnp.ndim(inside))
    value = jnp.where(jnp.reshape(inside, inside.shape + event), value, safe)
    density = jnp.where(inside, jnp.asarray(prior.log_prob(value)), -jnp.inf)
    # A prior that depends on others can be impossible, as one of negative scale.
    density = jnp.where(jnp.isnan(density), -jnp.inf, density)
    return jnp.sum(density), value


def _all_hold(model: Model, value: Callable) -> jax.Array | None:
    """Return whether all assertions hold, or None where there are none."""
    held = [jnp.all(function.at(value)) for function in model.assertions.values()]
    return jnp.all(jnp.stack(held)) if held else None


def allows(model: Model, vector: jax.Array) -> jax.Array:
    """Return whether all assertions hold at a vector."""
    held = _all_hold(model, read_vector(model, vector))
    return jnp.asarray(True) if held is None else held
