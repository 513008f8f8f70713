"""A finished run, moment by moment: where its points were, the best, and the median."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ampynb.model.circle import nearest
from ampynb.results.result import Result

__all__ = ["Moment", "temperatures_of", "timeline"]

POINTS = 250  # of a moment, about


@dataclass(frozen=True, eq=False, repr=False)
class Moment:
    """A run as it was at one moment.

    Attributes
    ----------
    title : str
        Which moment it is, in words.
    points : array, (m, ndim) [model units]
        Walkers over the last few steps, or points within the contour.
    best : array, (ndim,)
        The best point so far, by its log likelihood.
    log_likelihood : float
        Its log likelihood.
    """

    title: str
    points: np.ndarray
    best: np.ndarray
    log_likelihood: float

    @property
    def median(self) -> np.ndarray:
        """The median of the points, (ndim,)."""
        return np.median(self.points, axis=0)

    def __repr__(self) -> str:
        return f"Moment({self.title}, {len(self.points)} points)"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def temperatures_of(result: Result) -> list[float]:
    """Return the temperatures whose walkers were kept, coldest first; 1 at least."""
    beta = result.outcome.tempered.get("beta")
    if beta is None:
        return [1.0]
    return [float(1 / one) if one > 0 else np.inf for one in beta]


def timeline(result: Result, count: int, temperature: int = 0) -> list[Moment]:
    """Return at most so many moments of a run, from its first step to its last.

    Of walkers, the first steps are told in most detail, and those at a higher
    temperature only after the burn-in. Nested points are told by the prior volume:
    those within a contour, with the prior's own density, are as the points that were
    alive at it (Skilling 2006, section 4).

    Parameters
    ----------
    temperature : int
        Which of `temperatures_of`.
    """
    moments = _moments(result, count, temperature)
    periods, centre = result.table.periods, result.points.mean()
    return [
        dataclasses.replace(one, points=nearest(one.points, centre, periods))
        for one in moments
    ]


def _moments(result: Result, count: int, temperature: int) -> list[Moment]:
    weighted = result.outcome.weighted
    if "log_volume" in weighted:
        return _nested(weighted, count, result.algorithm.nwalkers)
    if temperature:
        tempered = result.outcome.tempered
        position = tempered["position"][:, temperature]
        likelihood = tempered["log_likelihood"][:, temperature]
        return _chains(np.asarray(position), np.asarray(likelihood), count, 0)
    position = np.concatenate([result.warmup, result.draws])
    stats = (result.warmup_stats, result.stats)
    likelihood = np.concatenate(
        [one["log_likelihood"] for one in stats if "log_likelihood" in one]
    )
    return _chains(position, likelihood, count, len(result.warmup))


def _chains(
    position: np.ndarray, likelihood: np.ndarray, count: int, warmup: int
) -> list[Moment]:
    n_steps, nwalkers, ndim = position.shape
    few = np.linspace(0, nwalkers - 1, min(nwalkers, 2 * POINTS)).astype(int)
    window = max(POINTS // nwalkers, 1)
    ends = 1 + (n_steps - 1) * np.linspace(0, 1, count) ** 2
    each = np.argmax(likelihood, axis=1)
    highest = likelihood[np.arange(n_steps), each]
    moments = []
    for end in np.unique(np.rint(ends).astype(int)):
        step = int(np.argmax(highest[:end]))
        begin = max(end - window, 0 if end <= warmup else warmup)
        during = " of the burn-in" if end <= warmup else ""
        last = warmup if end <= warmup else n_steps - warmup
        number = end if end <= warmup else end - warmup
        moments.append(
            Moment(
                f"step {number} of {last}{during}",
                np.asarray(position[begin:end, few]).reshape(-1, ndim),
                np.asarray(position[step, each[step]]),
                float(highest[step]),
            )
        )
    return moments


def _nested(weighted: Any, count: int, nlive: int) -> list[Moment]:
    position, likelihood = weighted["position"], weighted["log_likelihood"]
    log_volume = weighted["log_volume"]
    log_shell = weighted["log_weight"] - likelihood
    last = max(len(position) - nlive, 1)  # from there on no point replaced another
    levels = np.linspace(0.0, log_volume[last - 1], count)
    starts = np.searchsorted(-log_volume[:last], -levels)
    random = np.random.default_rng(0)  # the same each time
    moments = []
    for start in np.unique(np.minimum(starts, last)):
        share = np.exp(log_shell[start:] - log_shell[start:].max())
        size = min(POINTS, nlive, np.count_nonzero(share))
        inside = random.choice(len(share), size, replace=False, p=share / share.sum())
        rows = start + inside
        best = rows[np.argmax(likelihood[rows])]
        volume = log_volume[start - 1] if start else 0.0
        moments.append(
            Moment(
                f"ln X = {volume:.2f}, ln likelihood above {likelihood[start]:.4g}",
                position[rows],
                position[best],
                float(likelihood[best]),
            )
        )
    return moments
