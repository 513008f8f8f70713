"""Latent variables: what follows from the parameters, with its names and its values."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ampynb.model.circle import check_period
from ampynb.model.instance import Instance
from ampynb.model.label import checked_label
from ampynb.model.model import Model
from ampynb.model.options import names_options
from ampynb.model.table import Row, periods_of
from ampynb.model.tree import RESERVED
from ampynb.model.units import checked_unit

__all__ = ["Latent", "LatentError", "LatentSamples", "check_names"]


@names_options
@dataclass(frozen=True)
class Latent:
    r"""Unit and label of a latent variable, for ``Analysis.LATENT_KEYS``.

    Parameters
    ----------
    unit : str, or unit of astropy
        Unit of the values, for tables and axes: ``"km/s"``.
    label : str, optional
        LaTeX for plots, with or without dollar signs around it; the name serves where
        it is missing or empty.
    period : float, optional
        Period of a variable that wraps, such as an angle, whose mean and intervals are
        then those on the circle: ``2 * np.pi``.

    Examples
    --------
    >>> LATENT_KEYS = {"fwhm": Latent(unit="pixel", label=r"\Delta"), "area": Latent()}
    """

    unit: str = ""
    label: str | None = None
    period: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "unit", checked_unit(self.unit))
        object.__setattr__(self, "label", checked_label(self.label))
        if self.period is not None:
            check_period(self.period)


class LatentError(ValueError):
    """Latent variables cannot be computed, or are not what was announced."""


@dataclass(frozen=True, eq=False)
class LatentSamples:
    """Latent variables of draws, each at its draw's place.

    Attributes
    ----------
    rows : tuple of Row
        Name, shape, unit and label of each latent variable.
    position : array, (n_draws, nwalkers, size)
        Values, those of vectors by element; NaN where one could not be computed.
    failed : int
        Draws at which the user's function raised an error; all their values are NaN.
    error : str
        The first of these errors.
    """

    rows: tuple[Row, ...]
    position: np.ndarray
    failed: int = 0
    error: str = ""

    @property
    def names(self) -> list[str]:
        """Name of each element."""
        return [name for row in self.rows for name in row.element_names()]

    @property
    def labels(self) -> list[str]:
        """Label of each element."""
        return [label for row in self.rows for label in row.element_labels()]

    @property
    def units(self) -> list[str]:
        """Unit of each element."""
        return [row.unit for row in self.rows for _ in range(row.size)]

    @property
    def periods(self) -> np.ndarray:
        """Period of each element, (size,); infinite without one."""
        return periods_of(self.rows)

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Values by name, (n_draws, nwalkers, ...)."""
        leading = self.position.shape[:-1]
        return {
            row.name: self.position[..., row.span].reshape(*leading, *row.shape)
            for row in self.rows
        }

    @property
    def undefined(self) -> dict[str, int]:
        """Number of draws at which a latent variable is NaN or infinite, by name."""
        return {
            row.name: int(np.sum(~np.isfinite(self.position[..., row.span]).all(-1)))
            for row in self.rows
        }

    def of_member(self, name: str) -> LatentSamples:
        """Return those of one analysis of a joint fit, without its name in front."""
        own = [row for row in self.rows if row.name.startswith(f"{name}.")]
        sizes = np.cumsum([0, *(row.size for row in own)])
        rows = tuple(
            dataclasses.replace(row, name=row.name[len(name) + 1 :], start=int(start))
            for row, start in zip(own, sizes, strict=False)
        )
        parts = [self.position[..., row.span] for row in own]
        position = np.concatenate([self.position[..., :0], *parts], axis=-1)
        return dataclasses.replace(self, rows=rows, position=position)

    def remarks(self) -> Iterator[str]:
        """Yield what is wrong with the values, in words."""
        n = int(np.prod(self.position.shape[:-1]))
        if self.failed:
            yield (
                f"latent variables failed at {self.failed} of {n} draws, where they "
                f"are NaN; the first error was {self.error}"
            )
        for name, undefined in self.undefined.items():
            if undefined > self.failed:
                yield (
                    f"latent variable {name} is NaN or infinite at {undefined} of {n} "
                    "draws; its numbers are those of the others"
                )

    def instance(self, vector: Any) -> Instance:
        """Return the values of one draw, (size,), by attribute: ``.lens.mass``."""
        nested: dict[str, Any] = {}
        for row in self.rows:
            *above, last = row.name.split(".")
            place = functools.reduce(
                lambda d, part: d.setdefault(part, {}), above, nested
            )
            place[last] = np.asarray(vector)[row.span].reshape(row.shape)[()]
        return _instance(nested)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.position.shape[:-1]))
        head = f"{shape} values of {', '.join(row.name for row in self.rows)}"
        return "\n".join([f"LatentSamples: {head}", *self.remarks()])

    def _repr_html_(self) -> str:
        return "".join(f"<div>{escape(line)}</div>" for line in repr(self).split("\n"))


def check_names(names: tuple[str, ...], model: Model) -> None:
    """Raise where a latent variable cannot have its name."""
    taken = {row.name for row in model.rows} | set(RESERVED)
    for name in names:
        parts = str(name).split(".")
        if not all(part.isidentifier() or part.isdigit() for part in parts):
            raise LatentError(
                f"expected latent variables named like attributes, 'fwhm' or "
                f"'lens.mass'; got {name!r}; give LaTeX or words as the label of an "
                "ampynb.Latent"
            )
        above = {".".join(parts[:depth]) for depth in range(1, len(parts))}
        if name in taken or above & {*names, *taken}:
            raise LatentError(
                f"expected latent variables with names of their own; got {name!r} "
                "beside a parameter or another latent variable of that name; call it "
                "something else"
            )
        if names.count(name) > 1:
            raise LatentError(
                f"expected each latent variable once; got {name!r} {names.count(name)} "
                "times; correct LATENT_KEYS"
            )


def _instance(nested: dict[str, Any]) -> Instance:
    return Instance(
        **{k: _instance(v) if isinstance(v, dict) else v for k, v in nested.items()}
    )
