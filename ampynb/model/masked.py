"""Masked arrays in compiled code, which has none of its own."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = ["MaskedValues", "is_masked", "unmask"]


class MaskedValues(np.lib.mixins.NDArrayOperatorsMixin):
    """What a masked array of an analysis is in compiled code.

    Operators and NumPy's functions of each element keep the mask; a fit leaves masked
    data out. JAX's functions refuse it, as they would lose the mask.

    Parameters
    ----------
    values : array
        Something finite where masked.
    used : array of bool
        False where masked.
    """

    def __init__(self, values: Any, used: Any):
        self.values, self.used = values, used

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return np.shape(self.values)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values, masked ones among them."""
        return np.size(self.values)

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> MaskedValues:
        """Return a part, with its mask."""
        return MaskedValues(self.values[place], self.used[place])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options):
        """Apply a function of each element; masked where any argument is."""
        if method != "__call__" or options:
            return NotImplemented
        pairs = [unmask(one) for one in inputs]
        result = getattr(jnp, ufunc.__name__)(*(values for values, _ in pairs))
        used = jnp.ones(jnp.shape(result), bool)
        for _, one in pairs:
            used = used if one is None else used & one
        return MaskedValues(result, used)

    def __repr__(self) -> str:
        return f"MaskedValues of shape {self.shape}"


def is_masked(value: Any) -> bool:
    """Whether ``value`` is a NumPy array with masked elements."""
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def unmask(value: Any) -> tuple[Any, Any]:
    """Return the values of an array, and where they are used; None for everywhere.

    Masked values of NumPy's are the first that is not masked, so that what is computed
    of them is defined.
    """
    if isinstance(value, MaskedValues):
        return value.values, value.used
    if not isinstance(value, np.ma.MaskedArray):
        return value, None
    if not is_masked(value):
        return value.data, None
    used = ~np.ma.getmaskarray(value)
    fill = value.data[used][0] if used.any() else 1
    return np.where(used, value.data, fill), used
