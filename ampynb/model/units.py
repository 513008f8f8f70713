"""Quantities of astropy, which is not imported here: whoever has one has loaded it.

Compiled code computes with numbers. The quantities among the attributes of an analysis
become numbers in one coherent system of units, in which equations between quantities
hold between the numbers too; a fit converts to the unit of its data.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from numbers import Number
from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = [
    "System",
    "UnitValues",
    "check_plain",
    "checked_unit",
    "in_named_unit",
    "in_unit",
    "with_unit",
    "without_unit",
]

_OF_ONE_UNIT = {
    "add", "subtract", "less", "less_equal", "greater", "greater_equal", "equal",
    "not_equal", "maximum", "minimum", "hypot", "arctan2",
}  # fmt: skip


class UnitValues(np.lib.mixins.NDArrayOperatorsMixin):
    """What a quantity of an analysis is in compiled code: numbers that know their unit.

    Computed with, by operators and NumPy's functions of each element, it is its
    numbers; functions of JAX refuse it, and take its ``value``.

    Parameters
    ----------
    values : array
    unit : astropy.units.UnitBase
    """

    def __init__(self, values: Any, unit: Any):
        self.values, self.unit = values, unit

    def __getattr__(self, name: str) -> Any:
        """Return what its numbers have: their shape, say."""
        if name.startswith("__") or name in ("values", "unit"):
            raise AttributeError(name)
        return getattr(self.values, name)

    @property
    def value(self) -> Any:
        """The numbers."""
        return self.values

    def to(self, unit: Any) -> UnitValues:
        """Return the same in another unit."""
        return UnitValues(self.values * self.unit.to(unit), _unit_of(unit))

    def to_value(self, unit: Any) -> Any:
        """Return the numbers in another unit."""
        return self.to(unit).values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> UnitValues:
        """Return a part."""
        return UnitValues(self.values[place], self.unit)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the numbers, for functions of NumPy."""
        return np.asarray(self.values, dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options):
        """Apply a function of each element to the numbers."""
        if method != "__call__" or options:
            return NotImplemented
        units = [one.unit for one in inputs if isinstance(one, UnitValues)]
        if ufunc.__name__ in _OF_ONE_UNIT:
            for unit in units[1:]:
                _check_equivalent("quantities", unit, units[0], "each other")
        numbers = [one.values if isinstance(one, UnitValues) else one for one in inputs]
        return getattr(jnp, ufunc.__name__)(*numbers)

    def __repr__(self) -> str:
        shape = np.shape(self.values)
        return f"quantity of shape {shape} in {self.unit}, whose numbers are .value"


def with_unit(value: Any) -> tuple[Any, Any]:
    """Return the numbers of a quantity, or of a column with a unit, and the unit.

    The unit is None for all else.
    """
    if isinstance(value, UnitValues):
        return value.values, value.unit
    unit = getattr(value, "unit", None) if isinstance(value, np.ndarray) else None
    if unit is None:
        return value, None
    masked: Any = value
    if hasattr(masked, "unmasked"):
        numbers = np.ma.masked_array(np.asarray(masked.unmasked.value), masked.mask)
        return numbers, unit
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.masked_array(np.asarray(value.data), value.mask), unit
    return np.asarray(value), unit


def in_unit(name: str, value: Any, unit: Any, of: str) -> Any:
    """Return the numbers of ``value`` in a unit; what has none is in it already.

    Raises
    ------
    TypeError
        Where its unit is another, which ``of`` has none of.
    ValueError
        Where its unit cannot be converted.
    """
    numbers, own = with_unit(value)
    if own is None or own == unit:
        return numbers
    if unit is None:
        raise TypeError(
            f"expected {name} without a unit, as {of} has none; got {name} in {own}; "
            f"give {of} a unit too, or {name}.to_value(...)"
        )
    _check_equivalent(name, own, unit, of)
    return numbers * own.to(unit)


def in_named_unit(value: Any, name: str, unit: str) -> Any:
    """Return the numbers of a parameter's value in the unit that it has by name.

    Raises
    ------
    TypeError
        Where the parameter has no unit, or one that astropy does not know.
    ValueError
        Where the value's unit cannot be converted.
    """
    numbers, own = with_unit(value)
    if own is None:
        return value
    give = f"give {name!r} a number"
    if not unit and own.is_equivalent(one := _unit_of("")):
        return numbers * own.to(one)
    if not unit:
        raise TypeError(
            f"expected a number for {name!r}, which has no unit; got a quantity in "
            f"{own}; {give}, as with .to_value(...), or the parameter a unit, with "
            "ampynb.Parameter(prior, unit=...)"
        )
    try:
        target = _unit_of(unit)
    except ValueError:
        raise TypeError(
            f"expected a number for {name!r}, whose unit {unit!r} astropy does not "
            f"know; got a quantity in {own}; {give}, or correct the parameter's unit"
        ) from None
    if not own.is_equivalent(target):
        raise ValueError(
            f"expected a value for {name!r} in a unit that converts to {unit}; got one "
            f"in {own}; {give} in {unit}, or a quantity of the same kind"
        )
    return numbers * own.to(target)


def check_plain(values: Any, names: Sequence[str]) -> None:
    """Raise for a vector of quantities: each of its numbers is in a unit of its own.

    Parameters
    ----------
    values : list, tuple or array
    names : sequence of str
        Of the parameters.
    """
    each = values if isinstance(values, list | tuple) else ()
    if any(with_unit(one)[1] is not None for one in (values, *each)):
        raise TypeError(
            f"expected numbers in a vector of {', '.join(names)}, each in the unit of "
            "its parameter; got quantities; give them by name, as in "
            f"{{{names[0]!r}: ...}}"
        )


def _check_equivalent(name: str, own: Any, unit: Any, of: str) -> None:
    if not own.is_equivalent(unit):
        raise ValueError(
            f"expected {name} in a unit that converts to that of {of}, {unit}; got "
            f"{own}; convert it, or give numbers"
        )


def _unit_of(unit: Any) -> Any:
    return sys.modules["astropy.units"].Unit(unit)


class System:
    """A coherent system of units, made of those that are met, in their order.

    A quantity whose unit follows from those before is converted: with days and
    kilometres, a speed to kilometres per day. Any other keeps its own unit. Angles are
    in radians, as trigonometric functions take them.
    """

    def __init__(self):
        self._units: list[Any] = []

    def convert(self, value: np.ndarray, unit: Any) -> UnitValues:
        """Return numbers in the unit of the system."""
        if not hasattr(unit, "decompose") or not hasattr(unit, "powers"):
            raise TypeError(
                "expected quantities in units that are products of others; got "
                f"{unit}; give numbers, with .value"
            )
        target = self._target(unit)
        return UnitValues(value * unit.to(target) if target != unit else value, target)

    def _target(self, unit: Any) -> Any:
        if not self._units:
            self._units.append(_unit_of("rad"))
        powers = [_powers(one) for one in (*self._units, unit)]
        bases = sorted({base for one in powers for base in one})
        table = np.array([[one.get(base, 0.0) for base in bases] for one in powers])
        table = table.reshape(len(powers), len(bases))
        known, new = table[:-1].T, table[-1]
        exponents = np.linalg.lstsq(known, new, rcond=None)[0]
        if np.abs(known @ exponents - new).max(initial=0.0) > 1e-9:
            self._units.append(unit)
            return unit
        target = _unit_of("")
        for one, exponent in zip(self._units, np.round(exponents, 6), strict=True):
            target = target if exponent == 0 else target * one ** float(exponent)
        return target


def _powers(unit: Any) -> dict[str, float]:
    basic = unit.decompose()
    pairs = zip(basic.bases, basic.powers, strict=True)
    return {base.to_string(): float(power) for base, power in pairs}


_OF_VALUES = {"loc", "scale", "low", "high"}  # arguments of priors, in values' unit


def without_unit(given: Any, unit: Any) -> tuple[Any, str]:
    """Return a prior or a fixed value in numbers, and the unit that they are in.

    Quantities are converted to ``unit``, or to the unit of the first of them.

    Raises
    ------
    TypeError
        Where a prior has quantities whose unit is not that of its values.
    ValueError
        Where a unit cannot be converted.
    """
    unit = checked_unit(unit)
    named = _arguments(given)
    units = [
        own for value in named.values() if (own := with_unit(value)[1]) is not None
    ]
    if not units:
        if _holds_quantity(given, 3):
            raise TypeError(_refused(given))
        return given, unit
    target = _unit_of(unit) if unit else units[0]
    if "" in named:
        return in_unit("a fixed value", given, target, "the parameter"), str(target)
    kind = type(given)
    if set(named) - _OF_VALUES - {"df"} or kind.__name__ == "LogNormal":
        raise TypeError(_refused(given))
    numbers = {n: in_unit(n, one, target, "the parameter") for n, one in named.items()}
    try:
        return kind(**numbers), str(target)
    except TypeError:  # it is made of more than these
        raise TypeError(_refused(given)) from None


def checked_unit(unit: Any) -> str:
    """Return a unit as text, which is empty for None."""
    if unit is None or isinstance(unit, str):
        return unit or ""
    if isinstance(unit, Number | Collection | np.ndarray):
        raise TypeError(
            "expected a unit as text, or one of astropy; got "
            f"{type(unit).__qualname__}; write for instance unit='km'"
        )
    return str(unit)


def _arguments(given: Any) -> dict[str, Any]:
    """Return the arguments of a prior by name; a fixed value's name is empty."""
    names = getattr(given, "arg_constraints", None)
    if not isinstance(names, dict):
        return {"": given}
    return {name: vars(given)[name] for name in names if name in vars(given)}


def _holds_quantity(value: Any, depth: int) -> bool:
    if with_unit(value)[1] is not None:
        return True
    if depth == 0 or not hasattr(value, "arg_constraints"):
        return False
    return any(_holds_quantity(one, depth - 1) for one in vars(value).values())


def _refused(prior: Any) -> str:
    return (
        f"expected numbers in a {type(prior).__name__}; got quantities, which are "
        "taken as loc, scale, low and high of simple priors; give numbers, and the "
        "unit as ampynb.Parameter(prior, unit=...)"
    )
