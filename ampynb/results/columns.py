"""Draws by name: those of parameters, and of latent variables beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.model.circle import in_one_piece, shortest
from ampynb.model.instance import as_identifier
from ampynb.model.table import suggest
from ampynb.results.points import Points

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["Columns", "columns_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Columns:
    """Draws with a name, a label and a unit for each element.

    Attributes
    ----------
    names, labels, units : list of str, (k,)
    position : array, (n_draws, nwalkers, k)
    periods : array, (k,)
        Infinite where a column does not wrap.
    """

    names: list[str]
    labels: list[str]
    units: list[str]
    position: np.ndarray
    periods: np.ndarray

    @classmethod
    def of(cls, table: Any, position: np.ndarray) -> Columns:
        """Return draws with the names of a model, a table or latent variables.

        Those of a parameter that wraps are in one piece, cut opposite to their mean.
        """
        periods = table.periods
        whole = in_one_piece(position, periods)
        return cls(table.names, table.labels, table.units, whole, periods)

    def near(self, centre: np.ndarray) -> Columns:
        """Return the columns, those that wrap moved as a whole next to a point, (k,).

        Their means are within half a period of it.
        """
        apart = self.mean - centre
        moved = self.position + shortest(apart, self.periods) - apart
        wraps = np.isfinite(self.periods)
        position = np.where(wraps, moved, self.position)
        return dataclasses.replace(self, position=position) if wraps.any() else self

    @property
    def mean(self) -> np.ndarray:
        """Mean of each column where it is finite, (k,)."""
        return Points(self.flat).mean()

    def beside(self, other: Columns) -> Columns:
        """Return the columns of both."""
        return Columns(
            self.names + other.names,
            self.labels + other.labels,
            self.units + other.units,
            np.concatenate([self.position, other.position], axis=-1),
            np.concatenate([self.periods, other.periods]),
        )

    def choose(self, names: Sequence[str]) -> Columns:
        """Return some of the columns, in the order of ``names``."""
        names = [as_identifier(name) for name in names]
        for name in names:
            if name not in self.names:
                raise ValueError(suggest(name, self.names))
        chosen = [self.names.index(name) for name in names]
        return Columns(
            list(names),
            [self.labels[column] for column in chosen],
            [self.units[column] for column in chosen],
            self.position[..., chosen],
            self.periods[chosen],
        )

    @property
    def axis_labels(self) -> list[str]:
        """Label of each element, with its unit."""
        pairs = zip(self.labels, self.units, strict=True)
        return [label + (f" [{unit}]" if unit else "") for label, unit in pairs]

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.position.shape[:2]))
        return f"Columns({', '.join(self.names)}; {shape} draws)"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"

    @property
    def flat(self) -> np.ndarray:
        """All draws in one list, (n_draws * nwalkers, k)."""
        return self.position.reshape(-1, len(self.names))


def columns_of(
    result: Result, names: Sequence[str] | str | None = None, warmup: bool = False
) -> Columns:
    """Return draws by name: of all parameters, or of parameters and latent variables.

    Parameters
    ----------
    names : str or sequence of str, optional
        All parameters by default. Latent variables are computed where they are named.
    warmup : bool
        Whether the burn-in comes before the draws.
    """
    parts = [
        part for part in (result.warmup if warmup else (), result.draws) if len(part)
    ]
    position = np.concatenate(parts) if parts else result.draws
    columns = Columns.of(result.table, position)
    if names is None:
        return columns
    wanted = [names] if isinstance(names, str) else list(names)
    if result.has_posterior and not set(wanted) <= set(columns.names):
        latents = result.latents
        samples = (
            latents.at(position)
            if len(position) > len(result.draws)
            else latents.samples
        )
        if latents:
            columns = columns.beside(Columns.of(samples, samples.position))
    return columns.choose(wanted)
