"""Draws in one list, with their weights: every number that is read off them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ampynb.model.circle import in_one_piece

__all__ = ["Points"]


class Points(NamedTuple):
    """Draws, and their weights where these are not equal.

    A value that is NaN or infinite is left out of its column's numbers, and of no
    other's.

    Attributes
    ----------
    values : array, (m, k)
    weights : array, (m,), optional
        In any unit; None for draws of equal weight.

    Notes
    -----
    Values of a parameter that wraps must be in one piece; see `of`.
    """

    values: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, table: Any, values: np.ndarray, weights: Any = None) -> Points:
        """Return draws of a table's columns, those that wrap in one piece.

        Quantiles and intervals of a parameter that wraps may so go beyond the ends of
        the interval in which it is kept: -0.3 stands for 2 pi - 0.3.

        Parameters
        ----------
        table : Model, StoredTable, LatentSamples or Columns
            What knows the ``periods`` of the columns.
        """
        return cls(in_one_piece(values, table.periods, weights), weights)

    def __repr__(self) -> str:
        weighted = "" if self.weights is None else ", weighted"
        m, k = self.values.shape
        return f"Points({m} draws of {k} numbers{weighted})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"

    def quantile(self, probabilities: tuple[float, ...]) -> np.ndarray:
        """Return quantiles of each column, (len(probabilities), k).

        They are interpolated linearly between neighbouring draws. The distance of two
        neighbours in probability is in proportion to the mean of their weights, so that
        draws of the same weight have the quantiles of draws without one.
        """
        return self._by_column(
            lambda values, weights: (
                np.quantile(values, probabilities, axis=0)
                if weights is None
                else _weighted_quantiles(values, weights, probabilities)
            )
        )

    def median(self) -> np.ndarray:
        """Return the median of each column, (k,)."""
        return self.quantile((0.5,))[0]

    def interval(self, sigma: float) -> np.ndarray:
        """Return the central interval of each column, lower and upper edge, (2, k).

        It holds erf(sigma / sqrt 2) of the draws, as the interval of so many standard
        deviations to either side does for a normal distribution: 68.3 % for 1, 95.4 %
        for 2, 99.7 % for 3.
        """
        outside = math.erfc(sigma / math.sqrt(2))
        return self.quantile((outside / 2, 1 - outside / 2))

    def mean(self) -> np.ndarray:
        """Return the mean of each column, (k,)."""
        return self._by_column(_mean)

    def sd(self) -> np.ndarray:
        """Return the standard deviation of each column, (k,); NaN for a single draw."""
        return self._by_column(_sd)

    def covariance(self) -> np.ndarray:
        """Return the covariance of the columns, (k, k), unbiased by the number."""
        k = self.values.shape[1]
        covariance = np.cov(self.values, rowvar=False, aweights=self.weights)
        return covariance.reshape(k, k)

    def _by_column(self, number: Callable) -> np.ndarray:
        finite = np.isfinite(self.values)
        if finite.all():
            return number(self.values, self.weights)
        if self.weights is not None:
            finite &= self.weights[:, None] > 0
        parts = []
        for column, kept in enumerate(finite.T):
            # Of no draw at all: the number of a single NaN, which is NaN of its shape.
            rows = kept if kept.any() else slice(0, 1)
            values = np.where(kept.any(), self.values[rows, column], np.nan)
            weights = None if self.weights is None else self.weights[rows]
            parts.append(number(values[:, None], weights))
        return np.concatenate(parts, axis=-1)


def _weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, probabilities: tuple[float, ...]
) -> np.ndarray:
    """Return quantiles of each column, (len(probabilities), k)."""
    values, weights = values[weights > 0], weights[weights > 0]
    found = []
    for column, order in zip(values.T, np.argsort(values, axis=0).T, strict=True):
        sorted_weights = weights[order]
        steps = (sorted_weights[1:] + sorted_weights[:-1]) / 2
        reached = np.concatenate([[0.0], np.cumsum(steps)])
        wanted = np.asarray(probabilities) * reached[-1]
        found.append(np.interp(wanted, reached, column[order]))
    return np.stack(found, axis=-1)


def _mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.average(values, axis=0, weights=weights)


def _sd(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    size = len(values) if weights is None else weights.sum() ** 2 / np.sum(weights**2)
    if size <= 1:
        return np.full(values.shape[1], np.nan)
    square = _mean((values - _mean(values, weights)) ** 2, weights)
    return np.sqrt(square * size / (size - 1))
