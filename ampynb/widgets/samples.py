"""The samples of results, as the corner explorer shows and chooses from them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ampynb.algorithms.nested_outcome import equal_weights
from ampynb.model.circle import nearest
from ampynb.plots.sample_scene import Trace
from ampynb.results.columns import Columns
from ampynb.results.result import Result

__all__ = ["Ranges", "Samples", "share_abscissa"]

MOST_SHOWN = 1500  # of each result
Ranges = Mapping[str, tuple[float, float]]


class Samples:
    """The samples of one result in one list, with what their trace is drawn over.

    Of a run that weights its draws they are the weighted ones, in the order in which
    they came; else its draws, walker by walker at each step.

    Parameters
    ----------
    result : Result
    names : sequence of str
        Parameters and latent variables that are shown.

    Attributes
    ----------
    vectors : array, (m, ndim) [model units]
    values : array, (m, k)
        The columns of ``names``.
    weights : array, (m,)
        They sum to 1.
    abscissa : array, (m,)
        Minus the log of the prior volume where it is known, else the step.
    """

    def __init__(self, result: Result, names: Sequence[str]):
        self.result, self.names = result, list(names)
        weighted = result.outcome.weighted
        points = result.points
        self.is_weighted = bool(weighted)
        self.nwalkers = 1 if weighted else result.draws.shape[1]
        vectors = weighted["position"] if weighted else result.flat_draws
        self.vectors = np.asarray(vectors)
        count = len(self.vectors)
        weights = np.ones(count) if points.weights is None else points.weights
        self.weights = weights / np.sum(weights)
        if "log_volume" in weighted:
            self.abscissa = -np.asarray(weighted["log_volume"])
            self.xlabel = r"$-\ln$ prior volume"
        else:
            self.abscissa = (1 + np.arange(count) // self.nwalkers).astype(float)
            self.xlabel = "sample" if weighted else "step after the burn-in"
        columns = self._columns()
        self.values, self.labels = columns.flat, columns.axis_labels
        self.units = columns.units

    def _columns(self) -> Columns:
        table = self.result.table
        columns = Columns.of(table, self.vectors[:, None])
        # Of weighted samples, where most of the weight is.
        centre = self.result.points.mean()
        position = nearest(columns.position, centre, columns.periods)
        columns = dataclasses.replace(columns, position=position)
        if not set(self.names) <= set(columns.names):
            samples = self.result.latents.at(self.vectors)
            columns = columns.beside(Columns.of(samples, samples.position[:, None]))
        return columns.choose(self.names)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def count_text(self) -> str:
        """How many there are, in words."""
        return f"{len(self)} {'weighted samples' if self.is_weighted else 'draws'}"

    @functools.cached_property
    def shown(self) -> np.ndarray:
        """Which samples are drawn as points, (n,)."""
        return self.some(np.arange(len(self)), MOST_SHOWN)

    def some(self, among: np.ndarray, most: int) -> np.ndarray:
        """Return at most so many of some samples at random, by weight, in order."""
        random = np.random.default_rng(0)  # the same each time
        weights = self.weights[among]
        if self.is_weighted and weights.sum():
            among = among[np.unique(equal_weights(weights, random))]
        elif self.is_weighted:
            among = among[:0]
        if len(among) > most:
            among = np.sort(random.choice(among, most, replace=False))
        return among

    @property
    def best(self) -> int:
        """The sample with the highest log likelihood."""
        differ = np.abs(self.vectors - self.result.best.position).max(axis=1)
        return int(np.argmin(differ))

    def inside(
        self, ranges: Ranges, steps: tuple[float, float] | None = None
    ) -> np.ndarray:
        """Return the samples inside of ranges, and of a range of the trace, (n,)."""
        inside = np.ones(len(self), bool)
        for name, (low, high) in ranges.items():
            column = self.values[:, self.names.index(name)]
            inside &= (column >= low) & (column <= high)
        if steps is not None:
            inside &= (self.abscissa >= steps[0]) & (self.abscissa <= steps[1])
        return np.flatnonzero(inside)

    def columns_at(self, index: Any) -> np.ndarray:
        """Return the values at samples, and the abscissa of their trace behind them."""
        abscissa = self.abscissa[index][..., None]
        return np.concatenate([self.values[index], abscissa], axis=-1)

    def title(self, index: int) -> str:
        """Return which sample it is, in words."""
        if self.is_weighted:
            share = 100 * self.weights[index]
            return f"sample {index + 1} of {len(self)}, weight {share:.2g} %"
        step, walker = divmod(index, self.nwalkers)
        return f"step {step + 1}, walker {walker + 1} of {self.nwalkers}"

    def numbers(self, index: int) -> list[tuple[str, str]]:
        """Return the values of a sample with their units, as name and text."""
        each = zip(self.names, self.values[index], self.units, strict=True)
        return [(name, f"{value:.5g} {unit}".rstrip()) for name, value, unit in each]

    def trace(self) -> Trace:
        """Return what the trace shows beside the samples: its chains, if it has any."""
        if self.is_weighted or not self.result.algorithm.draws_chains:
            empty = np.zeros((len(self), 0, len(self.names)))
            return Trace(self.abscissa, empty)
        chains = self.values.reshape(-1, self.nwalkers, len(self.names))
        return Trace(self.abscissa[:: self.nwalkers], chains)


def share_abscissa(samples: Sequence[Samples]) -> str:
    """Give the traces of several results one abscissa, and return its label."""
    labels = {one.xlabel for one in samples}
    if len(labels) == 1:
        return labels.pop()
    for one in samples:
        one.abscissa = np.linspace(0, 1, len(one))
    return "share of the run"
