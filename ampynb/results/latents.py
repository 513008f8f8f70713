"""Latent variables of a result: by name, each value at its draw's place."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ampynb.analysis.latent import LatentError, LatentSamples
from ampynb.analysis.latent_samples import has_latents
from ampynb.analysis.program import ChangedError
from ampynb.model.instance import Instance
from ampynb.model.model import Model
from ampynb.results.points import Points
from ampynb.results.samples_summary import SamplesSummary

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["Latents"]

NONE = LatentSamples((), np.zeros((0, 0, 0)))


class _Draws(NamedTuple):
    """What `Analysis.compute_latent_samples` reads of a result."""

    model: Model
    draws: np.ndarray


class Latents(Mapping):
    """Latent variables by name, (n_draws, nwalkers, ...), in step with the draws.

    Parameters
    ----------
    result : Result
        Its analysis computes them; where it has none, this is empty.
    member : str, optional
        The analysis of a joint fit; the latent variables of all by default, each
        after the name of its analysis: ``"radio.width"``.

    Raises
    ------
    LatentError
        Where they cannot be computed.
    """

    def __init__(self, result: Result, member: str = ""):
        self._result, self._member = result, member
        if member:
            self.samples = result.latents.samples.of_member(member)
        else:
            self.samples = self.at(result.draws)
        self._values = self.samples.values

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the values of one latent variable."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def at(self, position: np.ndarray) -> LatentSamples:
        """Return the latent variables of other points, (..., ndim) [model units]."""
        if not has_latents(self._result.posterior):
            return NONE
        try:
            self._result.check_unchanged()
        except ChangedError as error:
            raise LatentError(str(error)) from error
        other = _Draws(self._result.model, position)
        found = self._result.analysis.compute_latent_samples(other)
        if found is None:
            return NONE
        return found.of_member(self._member) if self._member else found

    @functools.cached_property
    def points(self) -> Points:
        """All values in one list, (m, k), weighted as those of the result are."""
        weights = self._result.points.weights
        if weights is None:
            flat = self.samples.position.reshape(-1, len(self.samples.names))
            return Points.of(self.samples, flat)
        position = self.at(self._result.points.values).position
        return Points.of(self.samples, position, weights)

    @functools.cached_property
    def summary(self) -> SamplesSummary:
        """Best point, medians and intervals at 1, 2 and 3 sigma, fit for JSON.

        Best are the values at the draw with the highest log likelihood.
        """
        best = self._result.best._replace(position=self._best)
        evidence = self._result.log_evidence
        return SamplesSummary.of(self.samples, self.points, best, evidence)

    @functools.cached_property
    def _best(self) -> np.ndarray:
        return self.at(self._result.best.position[None]).position[0]

    def instance(self, at: str = "best") -> Instance:
        """Return values by attribute, dotted names nested: ``.lens.mass``.

        Parameters
        ----------
        at : str
            ``"best"``, those at the best draw, or ``"median"``, the median of each.
        """
        if at not in ("best", "median"):
            raise ValueError(
                f"expected at='best' or at='median'; got {at!r}; correct it"
            )
        vector = self._best if at == "best" else self.points.median()
        return self.samples.instance(vector)

    def __repr__(self) -> str:
        return repr(self.samples) if self else "no latent variables"

    def _repr_html_(self) -> str:
        return self.samples._repr_html_() if self else repr(self)
