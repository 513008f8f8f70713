"""What a model is made of: parameters, and collections of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ampynb.model.arrays import holds_numbers
from ampynb.model.circle import check_period, on_one_period
from ampynb.model.instance import FixedInteger
from ampynb.model.label import checked_label
from ampynb.model.options import names_options
from ampynb.model.prior_check import check_prior
from ampynb.model.prior_text import describe_prior
from ampynb.model.truncation import exact
from ampynb.model.units import without_unit

__all__ = ["Collection", "Parameter"]


@names_options
@dataclass(frozen=True, eq=False)
class Parameter:
    """One entry of a model: a prior, or a fixed value, with its unit and label.

    Parameters
    ----------
    prior : numpyro.distributions.Distribution, float, array or callable
        A prior makes the parameter free; its batch and event shape is the
        parameter's shape. A number or an array fixes the parameter, and so does a
        ``Delta``; integers stay integers, as counts and indices, and so does what a
        function makes of them alone. A function of the model's other values makes
        it derived where it gives a number or an array,
        ``lambda m: m.a + 2 * m.b``, and free where it gives a prior, which then
        depends on them: ``lambda m: dist.Normal(m.mean, m.spread)``.
    unit : str, or unit of astropy
        Unit of the values, for tables and axes: ``"mJy/day"``. Quantities of astropy
        in the prior are converted to it; without one it is that of the first.
    label : str, optional
        LaTeX for plots, with or without dollar signs around it; the name serves where
        it is missing or empty.
    period : float, optional
        Period of a parameter that wraps, such as an angle: ``2 * np.pi``. The support
        of its prior must be one period wide, and values are kept there: with
        ``Uniform(0, 2 * np.pi)`` from 0 to 2 pi. A normal prior, or another that is
        symmetric and has no edges, is cut half a period to either side of its centre.
        Samplers pass the ends freely, and means, deviations and intervals are those
        on the circle. A prior on a circle, such as ``VonMises``, has the period 2 pi
        by itself.

    Raises
    ------
    ValueError
        Where the support of the prior is not one period wide.
    """

    prior: dist.Distribution | float | np.ndarray | jax.Array | Callable
    unit: str = ""
    label: str | None = None
    period: float | None = None

    def __post_init__(self):
        prior, unit = without_unit(self.prior, self.unit)
        object.__setattr__(self, "prior", _checked(prior))
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "label", checked_label(self.label))
        prior, period = self.prior, self.period
        if isinstance(prior, dist.Distribution):
            prior, period = on_one_period(prior, period)
        elif period is not None:
            check_period(period)
            period = float(period)
        object.__setattr__(self, "prior", prior)
        object.__setattr__(self, "period", period)

    @property
    def is_free(self) -> bool:
        """Whether the parameter has a prior of its own."""
        return isinstance(self.prior, dist.Distribution)

    @property
    def is_function(self) -> bool:
        """Whether the parameter is a function of others."""
        return callable(self.prior) and not self.is_free

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter's value; empty for a scalar.

        Raises
        ------
        ValueError
            For a function of others, whose shape its model knows.
        """
        given: Any = self.prior
        if self.is_free:
            return tuple(given.batch_shape + given.event_shape)
        if self.is_function:
            raise ValueError(
                "expected a parameter with a prior or a value of its own; got a "
                f"function of others, {describe_prior(given)}; ask its model"
            )
        return np.shape(given)

    def __repr__(self) -> str:
        parts = [describe_prior(self.prior)]
        parts += [f"unit={self.unit!r}"] if self.unit else []
        parts += [f"label={self.label!r}"] if self.label else []
        parts += [f"period={self.period:.6g}"] if self.period else []
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

    def __init__(self, /, *items: Any, **entries: Any):
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


def _checked(prior: Any) -> Any:
    """Return a prior with float leaves, a fixed value, a function."""
    if isinstance(prior, dist.Delta):
        return _as_float(prior.v)
    if isinstance(prior, dist.Distribution):
        prior = exact(prior)
        check_prior(prior)
        return jax.tree_util.tree_map(_as_float, prior)
    if holds_numbers(prior):
        return _as_fixed(prior)
    if callable(prior) and not isinstance(prior, type):
        return prior
    raise TypeError(
        "expected a numpyro distribution (free), a number or array (fixed) or a "
        f"function of the model's other values; got {_name_of(prior)}; write for "
        "instance numpyro.distributions.Uniform(0, 1)"
    )


def _name_of(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    text = f"{kind.__module__}.{kind.__qualname__}"
    return f"the class {text} itself" if isinstance(value, type) else text


def _as_fixed(value: Any) -> FixedInteger | np.bool_ | np.ndarray:
    """Return integers and truths as they are, and other numbers as floats."""
    array = np.asarray(value)
    if array.dtype.kind not in "iub":
        fixed = _as_float(value)
        if np.isnan(fixed).any():
            raise ValueError(
                "expected a number to fix the parameter at; got NaN; give it a value, "
                "or a prior"
            )
        return fixed
    if array.ndim == 0:
        return np.bool_(array) if array.dtype.kind == "b" else FixedInteger(array)
    kept = array if array.dtype.kind == "b" else array.astype(jnp.result_type(int))
    return kept if np.array_equal(kept, array) else _as_float(value)


def _as_float(value: Any) -> np.ndarray:
    """Return a strongly typed float array, so that equal shapes share a program."""
    return np.asarray(value, dtype=jnp.result_type(float))
