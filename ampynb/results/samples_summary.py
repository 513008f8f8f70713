"""A result in a few numbers: best point, median, intervals; small enough for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import Estimate
from ampynb.results.history import Best
from ampynb.results.points import Points

__all__ = ["SIGMAS", "ElementSummary", "SamplesSummary"]

SIGMAS = (1, 2, 3)


@dataclass(frozen=True)
class ElementSummary:
    """One element of the vector, or one latent variable, in a few numbers.

    Attributes
    ----------
    best : float
        At the draw with the highest log likelihood [unit].
    median : float
        Of the draws [unit].
    intervals : tuple of pairs of float
        Lower and upper edge of the 1, 2 and 3 sigma interval [unit].
    unit : str
    """

    best: float
    median: float
    intervals: tuple[tuple[float, float], ...]
    unit: str = ""

    def interval(self, sigma: int) -> tuple[float, float]:
        """Return the lower and the upper edge at 1, 2 or 3 sigma [unit]."""
        if sigma not in SIGMAS:
            raise ValueError(
                f"expected sigma 1, 2 or 3 of a summary; got {sigma!r}; "
                "result.values_at_sigma(sigma) gives any"
            )
        return self.intervals[SIGMAS.index(sigma)]

    def errors(self, sigma: int) -> tuple[float, float]:
        """Return how far the interval reaches below and above the median [unit]."""
        low, high = self.interval(sigma)
        return self.median - low, high - self.median

    def __str__(self) -> str:
        minus, plus = self.errors(1)
        return f"{self.median:.6g} -{minus:.3g} +{plus:.3g} {self.unit}".rstrip()


@dataclass(frozen=True)
class SamplesSummary:
    """A result in a few numbers, which JSON can keep and give back.

    Attributes
    ----------
    elements : dict of str to ElementSummary
        By name of the vector's elements, or of latent variables.
    log_likelihood : float
        The highest among the draws.
    log_evidence : Estimate, optional
        And its standard error, where the algorithm gives one.
    """

    elements: Mapping[str, ElementSummary]
    log_likelihood: float
    log_evidence: Estimate | None = None

    @classmethod
    def of(
        cls, table: Any, points: Points, best: Best, log_evidence: Estimate | None
    ) -> SamplesSummary:
        """Sum up draws, and the best of them.

        Parameters
        ----------
        table : Model, StoredTable or LatentSamples
            Names and units of the columns.
        points : Points, (m, k)
        best : Best
        log_evidence : Estimate, optional
        """
        intervals = np.stack([points.interval(sigma) for sigma in SIGMAS])
        columns = zip(
            table.names, table.units, best.position, points.median(), strict=True
        )
        elements = {
            name: ElementSummary(
                float(at_best),
                float(median),
                tuple((float(low), float(high)) for low, high in intervals[..., i]),
                unit,
            )
            for i, (name, unit, at_best, median) in enumerate(columns)
        }
        return cls(elements, best.value, log_evidence)

    @property
    def best(self) -> dict[str, float]:
        """Values at the draw with the highest log likelihood, by name."""
        return {name: element.best for name, element in self.elements.items()}

    @property
    def median(self) -> dict[str, float]:
        """Medians by name."""
        return {name: element.median for name, element in self.elements.items()}

    def values_at_sigma(self, sigma: int) -> dict[str, tuple[float, float]]:
        """Return the lower and upper edges at 1, 2 or 3 sigma, by name."""
        return {name: one.interval(sigma) for name, one in self.elements.items()}

    def errors_at_sigma(self, sigma: int) -> dict[str, tuple[float, float]]:
        """Return how far the intervals reach below and above the medians, by name."""
        return {name: one.errors(sigma) for name, one in self.elements.items()}

    # JSON

    def as_dict(self) -> dict[str, Any]:
        """Return the summary in what JSON can keep; what is not finite as text."""
        return {
            "log_likelihood": _plain(self.log_likelihood),
            "log_evidence": _plain(self.log_evidence),
            "elements": {
                name: {
                    "best": _plain(element.best),
                    "median": _plain(element.median),
                    "intervals": _plain(element.intervals),
                    "unit": element.unit,
                }
                for name, element in self.elements.items()
            },
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> SamplesSummary:
        """Return the summary that `as_dict` described."""
        evidence = description["log_evidence"]
        return cls(
            {
                name: ElementSummary(
                    float(element["best"]),
                    float(element["median"]),
                    tuple(
                        (float(low), float(high)) for low, high in element["intervals"]
                    ),
                    element["unit"],
                )
                for name, element in description["elements"].items()
            },
            float(description["log_likelihood"]),
            None if evidence is None else Estimate(*map(float, evidence)),
        )

    # Views

    def _remarks(self) -> list[str]:
        told = [f"highest log likelihood {self.log_likelihood:.6g}"]
        if self.log_evidence is not None:
            told.append(f"log evidence {self.log_evidence}")
        return told

    def __repr__(self) -> str:
        width = max(map(len, self.elements), default=0)
        lines = (f"{name.ljust(width)}  {one}" for name, one in self.elements.items())
        head = "Medians and their errors at 1 sigma"
        return "\n".join([head, *lines, *self._remarks()])

    def _repr_html_(self) -> str:
        head = "<tr><th>name</th><th>median and 1 sigma</th><th>best</th></tr>"
        cells = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(one))}</td>"
            f"<td>{one.best:.6g}</td></tr>"
            for name, one in self.elements.items()
        )
        told = "".join(f"<div>{escape(line)}</div>" for line in self._remarks())
        return f"<table>{head}{cells}</table>{told}"


def _plain(value: Any) -> Any:
    """Return numbers as they are, and NaN and infinities as text: JSON has neither."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return float(value) if math.isfinite(value) else str(float(value))
