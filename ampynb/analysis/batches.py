"""Many points through a compiled function, in batches of one size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

__all__ = ["in_batches"]


def in_batches(function: Callable, *arrays: Any, size: int) -> Any:
    """Return ``function(*arrays)`` of arrays with a common leading axis.

    It is called with ``size`` rows at a time, the last of them repeated where they run
    out: one compilation serves any number of rows.

    Parameters
    ----------
    function : callable
        Compiled; it maps arrays of ``size`` rows to a pytree of such arrays.
    *arrays : array, (n, ...)
        With one row or more.
    size : int
        Rows of a batch.

    Returns
    -------
    pytree of NumPy arrays, (n, ...)
    """
    n = len(arrays[0])
    index = np.minimum(np.arange(-(-n // size) * size), n - 1).reshape(-1, size)
    parts = [
        jax.device_get(function(*(array[rows] for array in arrays))) for rows in index
    ]
    return jax.tree_util.tree_map(lambda *each: np.concatenate(each)[:n], *parts)
