"""The parameter table of a run whose model is not at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.model.table import Row, describe, periods_of

__all__ = ["StoredTable", "describe_table", "posterior_with"]


@dataclass(frozen=True)
class StoredTable:
    """Names, labels and units of a model's parameters, and its priors in words.

    Attributes
    ----------
    rows : tuple of Row
    priors : tuple of str
        The prior or the value of each row.
    """

    rows: tuple[Row, ...]
    priors: tuple[str, ...]

    @classmethod
    def from_description(cls, description: list[Mapping[str, Any]]) -> StoredTable:
        """Return the table that `describe_table` wrote."""
        rows, priors = [], []
        for line in description:
            values = {**line, "shape": tuple(line["shape"])}
            priors.append(values.pop("prior"))
            rows.append(Row(**values))
        return cls(tuple(rows), tuple(priors))

    def free(self) -> list[Row]:
        """Return the rows of the vector."""
        return [row for row in self.rows if row.kind == "free"]

    @property
    def ndim(self) -> int:
        """Number of free parameters, vectors counted by element."""
        return sum(row.size for row in self.free())

    @property
    def names(self) -> list[str]:
        """Name of each element of the vector."""
        return [name for row in self.free() for name in row.element_names()]

    @property
    def labels(self) -> list[str]:
        """Label of each element of the vector."""
        return [label for row in self.free() for label in row.element_labels()]

    @property
    def units(self) -> list[str]:
        """Unit of each element of the vector."""
        return [row.unit for row in self.free() for _ in range(row.size)]

    @property
    def periods(self) -> np.ndarray:
        """Period of each element of the vector, (ndim,); infinite without one."""
        return periods_of(self.free())

    def __repr__(self) -> str:
        lines = (
            f"{row.name}: {prior} {row.unit}".rstrip()
            for row, prior in zip(self.rows, self.priors, strict=True)
        )
        return "\n".join([f"Table of {self.ndim} free parameters", *lines])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{escape(row.name)}</td><td>{escape(prior)}</td>"
            f"<td>{escape(row.unit)}</td></tr>"
            for row, prior in zip(self.rows, self.priors, strict=True)
        )
        head = "<tr><th>name</th><th>prior or value</th><th>unit</th></tr>"
        return f"<table>{head}{cells}</table>"


def describe_table(table: Model | StoredTable) -> list[dict[str, Any]]:
    """Return a table in words and numbers that JSON can keep."""
    if isinstance(table, StoredTable):
        lines = list(zip(table.rows, table.priors, strict=True))
    else:
        lines = [(row, describe(row, given)) for row, given in table.entries()]
    return [{**dataclasses.asdict(row), "prior": prior} for row, prior in lines]


def posterior_with(
    table: StoredTable,
    analysis: Analysis | None,
    model: Model | Collection | None,
) -> Posterior | None:
    """Return the posterior that was sampled; None without analysis and model.

    Raises
    ------
    ValueError
        Where only one of them is given, or the model has other parameters.
    """
    if (analysis is None) != (model is None):
        raise ValueError(
            "expected both the analysis and the model, or neither; got one; give both"
        )
    if analysis is None or model is None:
        return None
    posterior = Posterior(analysis, model)
    if posterior.model.names != table.names:
        raise ValueError(
            f"expected a model with the parameters {', '.join(table.names)}; got "
            f"{', '.join(posterior.model.names)}; give the one that was fitted"
        )
    return posterior
