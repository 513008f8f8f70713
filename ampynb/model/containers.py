"""Numbers in the containers that users have: lists, columns, arrays from files."""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["ListedNumbers", "array_in", "as_numbers", "numbers_in_list"]

NUMERIC = "biufc"


def _is_number(value: Any) -> bool:
    """Whether ``value`` is one number or boolean of Python or NumPy."""
    return isinstance(value, int | float | np.number | np.bool_)


def array_in(value: Any) -> Any:
    """Return the NumPy array of the numbers in ``value``, for JAX; None without any.

    Arrays of any byte order and precision, arrays of Python numbers, pandas' Series
    and Index and xarray's DataArray; of lists see `numbers_in_list`. A missing value
    of pandas is NaN. An array that JAX takes as it is is returned itself.
    """
    if isinstance(value, np.ndarray | np.generic):
        return _for_jax(value)
    if isinstance(value, _classes("pandas", "Series", "Index")):
        return _column(value)
    if isinstance(value, _classes("xarray", "DataArray")):
        return _for_jax(np.asarray(value.data))
    return None


def as_numbers(name: str, value: Any, kind: type | None = None) -> Any:
    """Return numbers, or truths, as one array: of NumPy, or of JAX where they are.

    Parameters
    ----------
    name : str
        What errors call it.
    value : number, list, tuple, array or column
        Of any numeric type, or of JAX.
    kind : type, optional
        ``bool`` for truths; floats by default. Complex numbers remain complex.

    Raises
    ------
    TypeError
        For what is no number and holds none.
    """
    if isinstance(value, jax.Array):
        dtype = kind or _floating(value.dtype, jnp.result_type(float))
        return value if value.dtype == dtype else value.astype(dtype)
    if type(value) in (list, tuple) and any(isinstance(v, jax.Array) for v in value):
        return as_numbers(name, jnp.asarray(value), kind)
    array = array_in(value)
    if array is None:
        array = _numeric(value)
    if array is None:
        raise TypeError(
            f"expected numbers as {name}, in an array for instance; got "
            f"{_described(value)}; convert with numpy.asarray(..., dtype=float)"
        )
    return np.asarray(array, dtype=kind or _floating(array.dtype, float))


def _floating(dtype: Any, floats: Any) -> Any:
    return dtype if dtype.kind == "c" else floats


def _numeric(value: Any) -> np.ndarray | None:
    """Return a number, or a sequence of numbers, as an array; None for any other."""
    if not isinstance(value, int | float | complex | list | tuple):
        return None
    try:
        return _for_jax(np.asarray(value))
    except ValueError:  # rows of unequal lengths
        return None


def _described(value: Any) -> str:
    kind = type(value)
    of = f" of {value.dtype}" if hasattr(value, "dtype") else ""
    return f"{kind.__module__}.{kind.__qualname__}{of}"


def _classes(library: str, *names: str) -> tuple[type, ...]:
    """Return classes of a library that is loaded; without it there are no objects."""
    module = sys.modules.get(library)
    return tuple(getattr(module, name) for name in names if hasattr(module, name))


def _column(column: Any) -> np.ndarray | None:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _for_jax(column.to_numpy())
    if getattr(dtype, "kind", "O") not in NUMERIC:  # categories, dates
        return None
    if column.hasnans:
        return column.to_numpy(dtype=float, na_value=np.nan)
    return _for_jax(column.to_numpy(dtype=getattr(dtype, "numpy_dtype", float)))


def _for_jax(array: np.ndarray | np.generic) -> Any:
    """Return an array in the machine's byte order and at most double precision."""
    dtype = array.dtype
    if dtype.kind == "O":
        values = array.ravel().tolist()
        is_numeric = bool(values) and all(map(_is_number, values))
        return np.array(values, float).reshape(array.shape) if is_numeric else None
    if dtype.kind not in NUMERIC:
        return None
    if dtype.itemsize > (16 if dtype.kind == "c" else 8):
        return array.astype(complex if dtype.kind == "c" else float)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


class ListedNumbers(np.ndarray):
    """What a list of whole numbers or truths is in compiled code: a known array."""


def numbers_in_list(value: Any) -> np.ndarray | None:
    """Return a list of numbers, nested at will, as an array; None for any other.

    Floats are data. Whole numbers may be counts or places, whose values code may ask
    for: they are `ListedNumbers`.
    """
    if isinstance(value, ListedNumbers):
        return value
    if type(value) is not list or not _is_numeric(value):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal lengths
        return None
    return array if array.dtype.kind == "f" else array.view(ListedNumbers)


def _is_numeric(values: list) -> bool:
    return bool(values) and all(
        _is_numeric(one) if type(one) is list else _is_number(one) for one in values
    )
