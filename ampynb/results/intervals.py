"""Central intervals of a result at any number of standard deviations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["errors_at_sigma", "values_at_sigma"]


def values_at_sigma(result: Result, sigma: float, as_instance: bool = False) -> Any:
    """Return the central interval that so many standard deviations stand for.

    1 sigma holds 68.3 % of the posterior, whatever its shape, 2 sigma 95.4 % and 3
    sigma 99.7 %.

    Parameters
    ----------
    sigma : float
    as_instance : bool

    Returns
    -------
    dict of str to pair of float [model units]
        Lower and upper edge of each element of the vector; with ``as_instance`` two
        instances, that of the lower edges first.
    """
    return _pairs(result, result.points.interval(_checked(sigma)), as_instance)


def errors_at_sigma(result: Result, sigma: float, as_instance: bool = False) -> Any:
    """Return how far `values_at_sigma` reach below and above the medians."""
    low, high = result.points.interval(_checked(sigma))
    median = result.points.median()
    return _pairs(result, (median - low, high - median), as_instance)


def _pairs(result: Result, edges: Any, as_instance: bool) -> Any:
    if as_instance:
        return tuple(result.model.instance_from_vector(edge) for edge in edges)
    columns = zip(result.table.names, *edges, strict=True)
    return {name: (float(low), float(high)) for name, low, high in columns}


def _checked(sigma: float) -> float:
    """Return a positive number of standard deviations, or raise."""
    is_number = isinstance(sigma, int | float | np.number)
    if isinstance(sigma, bool) or not is_number or not 0 < sigma < math.inf:
        raise ValueError(
            f"expected sigma as a positive number; got {sigma!r}; give for instance 1"
        )
    return float(sigma)
