"""What a model is made of: parameters, and collections of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ampynb.model.arrays import is_array

__all__ = ["Collection", "Parameter", "describe_prior"]


@dataclass(frozen=True, eq=False)
class Parameter:
    """One entry of a model: a prior, or a fixed value, with its unit and label.

    Parameters
    ----------
    prior : numpyro.distributions.Distribution, float or array
        A prior makes the parameter free; its batch and event shape is the
        parameter's shape. A number or an array fixes the parameter.
    unit : str
        Unit of the values, for tables and axes: ``"mJy/day"``.
    label : str, optional
        LaTeX for plots, without dollar signs; the name serves where it is missing.
    """

    prior: dist.Distribution | float | np.ndarray | jax.Array
    unit: str = ""
    label: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "prior", _checked(self.prior))

    @property
    def is_free(self) -> bool:
        """Whether the parameter has a prior, and so is fitted."""
        return isinstance(self.prior, dist.Distribution)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter's value; empty for a scalar."""
        if isinstance(self.prior, dist.Distribution):
            return tuple(self.prior.batch_shape + self.prior.event_shape)
        return np.shape(self.prior)

    def __repr__(self) -> str:
        parts = [describe_prior(self.prior)]
        parts += [f"unit={self.unit!r}"] if self.unit else []
        parts += [f"label={self.label!r}"] if self.label else []
        return f"Parameter({', '.join(parts)})"


class Collection(Mapping):
    """A group of models and parameters, by name or by position.

    ``Collection(lens=..., source=...)`` is read as ``instance.lens``;
    ``Collection(first, second)`` as ``instance[0]``, with names ``0`` and ``1``.

    Parameters
    ----------
    *items, **entries
        Whatever a `Model` takes: priors, numbers, parameters, models, collections.
    """

    def __init__(self, *items: Any, **entries: Any):
        by_position = {str(position): item for position, item in enumerate(items)}
        self._entries = {**by_position, **entries}

    def __getitem__(self, name: str | int) -> Any:
        """Return one entry."""
        return self._entries[str(name)]

    def __iter__(self):
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        entries = (f"{name}={entry!r}" for name, entry in self._entries.items())
        return f"Collection({', '.join(entries)})"


def _checked(prior: Any) -> dist.Distribution | np.ndarray:
    """Return a prior with float leaves, or a fixed value as a float array."""
    if isinstance(prior, dist.Distribution):
        if not jnp.issubdtype(_dtype_of_draws(prior), jnp.floating):
            raise TypeError(
                f"expected a continuous prior; got {describe_prior(prior)}, whose "
                "values are discrete; sum over its values in the likelihood instead"
            )
        return jax.tree_util.tree_map(_as_float, prior)
    if isinstance(prior, int | float) or is_array(prior):
        return _as_float(prior)
    raise TypeError(
        "expected a numpyro distribution (free) or a number or array (fixed); got "
        f"{type(prior).__module__}.{type(prior).__qualname__}; write for instance "
        "numpyro.distributions.Uniform(0, 1)"
    )


def _dtype_of_draws(prior: dist.Distribution) -> Any:
    try:
        return jax.eval_shape(lambda: prior.sample(jax.random.key(0))).dtype
    except NotImplementedError:
        raise TypeError(
            f"expected a prior that can be drawn from; got {describe_prior(prior)}; "
            "use for instance a wide Normal or Uniform"
        ) from None


def _as_float(value: Any) -> np.ndarray:
    """Return a strongly typed float array, so that equal shapes share a program."""
    return np.asarray(value, dtype=jnp.result_type(float))


def describe_prior(prior: Any) -> str:
    """Return a prior or a fixed value in short words: ``Normal(loc=0, scale=10)``."""
    if not isinstance(prior, dist.Distribution):
        return np.array2string(
            np.asarray(prior), formatter={"float_kind": "{:.6g}".format}, threshold=6
        )
    if isinstance(prior, dist.ExpandedDistribution | dist.Independent):
        shape = tuple(prior.batch_shape + prior.event_shape)
        return f"{describe_prior(prior.base_dist)} of shape {shape}"
    arguments = [
        f"{name}={describe_prior(getattr(prior, name))}"
        for name in prior.arg_constraints
        if name in vars(prior)
    ]
    base = getattr(prior, "base_dist", None)
    derived = dist.LogNormal | dist.LogUniform | dist.HalfNormal  # named in full
    if isinstance(base, dist.Distribution) and not isinstance(prior, derived):
        arguments.insert(0, describe_prior(base))
    return f"{type(prior).__name__}({', '.join(arguments)})"
