"""What the present fit is compared with: snapshots, and bands of many fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.model.model import Model
from ampynb.model.options import checked_count
from ampynb.plots.figure import GREY
from ampynb.results.result import Result
from ampynb.widgets.point import Point
from ampynb.widgets.targets import needed

__all__ = ["Comparison", "Snapshot"]

COLOURS = {"prior": GREY, "posterior": None}  # None is the curve's own


@dataclass(frozen=True)
class Snapshot:
    """A point that was kept, with its fit (or None) and its numbers."""

    name: str
    point: Point
    fit: Any
    numbers: dict[str, str]

    @property
    def text(self) -> str:
        """Name and numbers in one line."""
        told = (f"{name} {number}" for name, number in self.numbers.items())
        return " · ".join([self.name, *told])


@dataclass
class Comparison:
    """Snapshots and bands of one analysis, by name."""

    analysis: Analysis
    snapshots: list[Snapshot] = field(default_factory=list)
    bands: dict[str, tuple] = field(default_factory=dict)

    def keep(
        self, name: str | None, point: Point, fit: Any, numbers: dict[str, str]
    ) -> None:
        """Add a snapshot; one of the same name is replaced."""
        name = name or f"snapshot {len(self.snapshots) + 1}"
        others = [one for one in self.snapshots if one.name != name]
        self.snapshots = [*others, Snapshot(name, point, fit, numbers)]

    def point_of(self, name: str) -> Point:
        """Return the point of a snapshot."""
        kept = {one.name: one.point for one in self.snapshots}
        if name not in kept:
            known = ", ".join(kept) or "none, as there is no snapshot"
            raise ValueError(f"expected one of {known}; got {name!r}")
        return kept[name]

    def shade(self, of: str, model: Model, result: Result | None, n: int) -> None:
        """Add the band of the curves of ``n`` draws from the prior or the result."""
        if of not in COLOURS:
            raise ValueError(f"expected 'prior' or 'posterior'; got {of!r}")
        n = checked_count("n", n, least=1, usual=100)
        vectors = model.sample_prior(jax.random.key(0), n)
        if of == "posterior":
            model, vectors = needed(result).model, needed(result).sample(n)
        instances = jax.vmap(model.instance_from_vector)(np.asarray(vectors))
        fits = self.analysis.fits_for_visualization(instances)
        self.bands[of] = (fits, COLOURS[of])

    @property
    def ghosts(self) -> list[Any]:
        """The fits of the snapshots."""
        return [one.fit for one in self.snapshots if one.fit is not None]

    @property
    def chips(self) -> list[dict[str, str]]:
        """What the view shows of the snapshots."""
        return [{"name": one.name, "text": one.text} for one in self.snapshots]
