"""Rules that end a run when its draws are good enough, or time is up."""

from __future__ import annotations

import abc
import functools
from dataclasses import dataclass

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm
from ampynb.results.diagnostics import live_ess, live_r_hat, live_tau
from ampynb.results.history import History

__all__ = ["Measures", "StoppingRule", "autocorr", "ess", "rhat", "seconds"]

FIRST_LOOK = 64
GROWTH = 1.2
ROWS = 1024  # steps that a rule looks at, evenly spaced


class Measures:
    """What rules go by: numbers of the draws so far, taken afresh at certain steps.

    The steps are 64 and then each a fifth more than the last, so that a rule costs
    little, and ends a run at the same step however fast the machine is.

    Attributes
    ----------
    seconds : float
        Computing time so far [s].
    """

    def __init__(self, history: History, algorithm: Algorithm):
        self._history, self._algorithm = history, algorithm
        self.seconds = 0.0
        self._looked_at = 0
        self.look_if_due()

    def steps_to_next_look(self) -> int:
        """Return the number of sampling steps until the next look."""
        steps, look = self._history.steps(SAMPLING), FIRST_LOOK
        while look <= steps:
            look = _after(look)
        return look - steps

    def look_if_due(self) -> None:
        """Take the numbers afresh at the steps that are meant for it."""
        steps, look = self._history.steps(SAMPLING), FIRST_LOOK
        while look < steps:
            look = _after(look)
        if look == steps:
            self._looked_at = steps
            for name in ("ess", "r_hat", "tau"):
                self.__dict__.pop(name, None)

    @property
    def steps(self) -> int:
        """Kept sampling steps at the last look."""
        return self._looked_at

    @functools.cached_property
    def ess(self) -> float:
        """Least effective sample size of all parameters; NaN where there is none."""
        steps, rows = self._rows()
        return live_ess(rows, self._algorithm.independent_chains) if steps else np.nan

    @functools.cached_property
    def r_hat(self) -> float:
        """Largest R-hat of all parameters; NaN where there is none."""
        steps, rows = self._rows()
        return live_r_hat(rows) if steps else np.nan

    @functools.cached_property
    def tau(self) -> float:
        """Longest autocorrelation time of all parameters [kept steps]."""
        steps, rows = self._rows()
        return live_tau(rows) * steps / len(rows) if steps else np.nan

    def _rows(self) -> tuple[int, np.ndarray]:
        if not self._looked_at:
            return 0, np.zeros((0, 0, 0))
        return self._looked_at, self._history.thinned(ROWS, SAMPLING)[1]


def _after(look: int) -> int:
    return int(np.ceil(GROWTH * look))


class StoppingRule(abc.ABC):
    """Says when a run may end; combine rules with ``|`` (either) and ``&`` (both)."""

    @property
    @abc.abstractmethod
    def needs_chains(self) -> bool:
        """Whether it judges chains."""

    @abc.abstractmethod
    def is_met(self, measures: Measures) -> bool:
        """Whether the run may end."""

    @abc.abstractmethod
    def fraction(self, measures: Measures) -> float:
        """Return how near the rule is to being met, 0 to 1."""

    @abc.abstractmethod
    def told(self, measures: Measures) -> str:
        """Return where the rule's quantity stands, in words."""

    def check(self, algorithm: Algorithm) -> None:
        """Raise where an algorithm has no chains that the rule could judge."""
        if self.needs_chains and not algorithm.draws_chains:
            raise ValueError(
                f"expected until=seconds(...) with the sampler {algorithm.name!r}, "
                f"which knows itself when it is done; got until={self}; leave it out"
            )

    def __or__(self, other: StoppingRule) -> StoppingRule:
        return _Combined(self, _checked(other), both=False)

    def __and__(self, other: StoppingRule) -> StoppingRule:
        return _Combined(self, _checked(other), both=True)


@dataclass(frozen=True)
class _EffectiveSampleSize(StoppingRule):
    least: float

    @property
    def needs_chains(self) -> bool:
        """Whether it judges chains."""
        return True

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.ess >= self.least)

    def fraction(self, measures: Measures) -> float:
        return _share(measures.ess, self.least)

    def told(self, measures: Measures) -> str:
        return f"the least effective sample size is {measures.ess:.0f}"

    def __str__(self) -> str:
        return f"ess({self.least:g})"


@dataclass(frozen=True)
class _RHat(StoppingRule):
    most: float

    @property
    def needs_chains(self) -> bool:
        """Whether it judges chains."""
        return True

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.r_hat <= self.most)

    def fraction(self, measures: Measures) -> float:
        return _share(self.most - 1, measures.r_hat - 1)

    def told(self, measures: Measures) -> str:
        return f"the largest R-hat is {measures.r_hat:.3f}"

    def __str__(self) -> str:
        return f"rhat({self.most:g})"


@dataclass(frozen=True)
class _AutocorrelationTimes(StoppingRule):
    least: float

    @property
    def needs_chains(self) -> bool:
        """Whether it judges chains."""
        return True

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.steps >= self.least * measures.tau)

    def fraction(self, measures: Measures) -> float:
        return _share(measures.steps, self.least * measures.tau)

    def told(self, measures: Measures) -> str:
        times = measures.steps / measures.tau
        return f"the chain is {times:.0f} autocorrelation times long"

    def __str__(self) -> str:
        return f"autocorr({self.least:g})"


@dataclass(frozen=True)
class _Seconds(StoppingRule):
    most: float

    @property
    def needs_chains(self) -> bool:
        """Whether it judges chains."""
        return False

    def is_met(self, measures: Measures) -> bool:
        return measures.seconds >= self.most

    def fraction(self, measures: Measures) -> float:
        return _share(measures.seconds, self.most)

    def told(self, measures: Measures) -> str:
        return f"{measures.seconds:.1f} s have passed"

    def __str__(self) -> str:
        return f"seconds({self.most:g})"


@dataclass(frozen=True)
class _Combined(StoppingRule):
    first: StoppingRule
    second: StoppingRule
    both: bool

    @property
    def needs_chains(self) -> bool:
        """Whether one of the rules does."""
        return self.first.needs_chains or self.second.needs_chains

    def is_met(self, measures: Measures) -> bool:
        met = self.first.is_met(measures), self.second.is_met(measures)
        return all(met) if self.both else any(met)

    def fraction(self, measures: Measures) -> float:
        fractions = self.first.fraction(measures), self.second.fraction(measures)
        return min(fractions) if self.both else max(fractions)

    def told(self, measures: Measures) -> str:
        return f"{self.first.told(measures)}, {self.second.told(measures)}"

    def __str__(self) -> str:
        if self.both:
            return f"({self.first}) & ({self.second})"
        return f"{self.first} | {self.second}"


def ess(least: float = 400) -> StoppingRule:
    """End a run when every parameter has this many effective draws.

    The bulk effective sample size (Vehtari et al. 2021) for independent chains; for
    ensembles the draws over the autocorrelation time. Taken from at most 1024 evenly
    spaced steps, which makes it a lower bound.
    """
    return _EffectiveSampleSize(_positive("ess", least, 400))


def rhat(most: float = 1.01) -> StoppingRule:
    """End a run when no parameter's R-hat is larger (Vehtari et al. 2021)."""
    if not most > 1:
        raise ValueError(f"expected rhat above 1; got {most!r}; give for instance 1.01")
    return _RHat(float(most))


def autocorr(least: float = 50) -> StoppingRule:
    """End a run when it is this many autocorrelation times long, as emcee asks."""
    return _AutocorrelationTimes(_positive("autocorr", least, 50))


def seconds(most: float) -> StoppingRule:
    """End a run after so much computing time, pauses left out [s]."""
    return _Seconds(_positive("seconds", most, 600))


def _positive(name: str, value: float, usual: float) -> float:
    if isinstance(value, bool) or not value > 0:
        raise ValueError(
            f"expected {name} above 0; got {value!r}; give for instance {usual}"
        )
    return float(value)


def _share(value: float, of: float) -> float:
    """Return value / of within 0 and 1; 0 where it is not known."""
    share = value / of if of else 1.0
    return float(np.clip(share, 0.0, 1.0)) if np.isfinite(share) else 0.0


def _checked(rule: StoppingRule) -> StoppingRule:
    if not isinstance(rule, StoppingRule):
        raise TypeError(
            "expected another rule, as in ess(400) | seconds(600); got "
            f"{type(rule).__qualname__}; use ess, rhat, autocorr or seconds"
        )
    return rule
