"""Rules that end a run when its draws are good enough, or time is up."""

from __future__ import annotations

import abc
import functools
from dataclasses import dataclass

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm
from ampynb.model.circle import directions
from ampynb.results.diagnostics import (
    RELIABLE_LENGTH,
    live_ess,
    live_r_hat,
    live_tau,
)
from ampynb.results.history import History

__all__ = [
    "Measures",
    "StoppingRule",
    "autocorr",
    "check_rule",
    "ess",
    "rhat",
    "seconds",
]

FIRST_LOOK = 64
GROWTH = 1.2
FEWEST_ROWS = 512  # steps that a rule looks at, evenly spaced; up to twice as many
ROWS_FOR_ONE = 10  # for each effective draw or autocorrelation time that is asked for


class Measures:
    """What rules go by: numbers of the draws so far, taken afresh at certain steps.

    The steps are 64 and then each a fifth more than the last, so that a rule costs
    little, and ends a run at the same step however fast the machine is.

    Parameters
    ----------
    history : History
    algorithm : Algorithm
    rows : int
        Evenly spaced steps that the numbers are taken from, or up to twice as many.

    Attributes
    ----------
    seconds : float
        Computing time so far [s].
    """

    def __init__(self, history: History, algorithm: Algorithm, rows: int = FEWEST_ROWS):
        self._history, self._algorithm, self._most = history, algorithm, 2 * rows
        self.seconds = 0.0
        self._looked_at = 0
        history.keep(self._most)
        self.look_if_due()

    def next_look(self) -> int:
        """Return the number of sampling steps at the next look."""
        steps, look = self._history.steps(SAMPLING), FIRST_LOOK
        while look <= steps:
            look = _after(look)
        return look

    def look_if_due(self) -> None:
        """Take the numbers afresh at the steps that are meant for it."""
        steps, look = self._history.steps(SAMPLING), FIRST_LOOK
        while look < steps:
            look = _after(look)
        if look == steps:
            self.look()

    def look(self) -> None:
        """Take the numbers afresh now, of no fewer steps than at the first look."""
        steps = self._history.steps(SAMPLING)
        if steps >= FIRST_LOOK:
            self._looked_at = steps
            for name in ("_rows", "ess", "r_hat", "tau"):
                self.__dict__.pop(name, None)

    @property
    def steps(self) -> int:
        """Kept sampling steps at the last look."""
        return self._looked_at

    @functools.cached_property
    def ess(self) -> float:
        """Least effective sample size of all parameters; NaN where one has none."""
        if self._algorithm.independent_chains:
            return float(np.min(live_ess(self._rows)))
        return self.steps * self._algorithm.nwalkers / self.tau

    @property
    def ess_is_reliable(self) -> bool:
        """Whether an ensemble's tau, which its ESS follows from, can be trusted."""
        if self._algorithm.independent_chains:
            return True
        return self.steps >= RELIABLE_LENGTH * self.tau

    @functools.cached_property
    def r_hat(self) -> float:
        """Largest R-hat of all parameters; NaN where one has none."""
        return float(np.max(live_r_hat(self._rows)))

    @functools.cached_property
    def tau(self) -> float:
        """Longest autocorrelation time of all parameters [kept steps]."""
        spacing = self.steps / max(len(self._rows), 1)
        return float(np.max(live_tau(self._rows))) * spacing

    @functools.cached_property
    def _rows(self) -> np.ndarray:
        if not self._looked_at:
            return np.zeros((0, 0, 0))
        rows = self._history.thinned(self._most, SAMPLING)[1]
        return directions(rows, self._history.periods)


def _after(look: int) -> int:
    return int(np.ceil(GROWTH * look))


class StoppingRule(abc.ABC):
    """Says when a run may end; combine rules with ``|`` (either) and ``&`` (both)."""

    @property
    @abc.abstractmethod
    def fewest_chains(self) -> int:
        """Return how many chains it needs to judge; 0 where it judges none."""

    @abc.abstractmethod
    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""

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
        """Raise where an algorithm has not the chains that the rule could judge."""
        fewest = self.fewest_chains
        if algorithm.draws_chains and algorithm.nwalkers < fewest:
            raise ValueError(
                f"expected nwalkers of at least {fewest} with until={self}, which "
                f"compares chains; got {algorithm.nwalkers}; ask for nwalkers=4"
            )
        if fewest and not algorithm.draws_chains:
            raise ValueError(
                f"expected until=seconds(...) with the sampler {algorithm.name!r}, "
                f"which knows itself when it is done; got until={self}; leave it out"
            )

    def __bool__(self) -> bool:
        raise TypeError(
            f"expected {self} combined with other rules by | and &; got 'and', 'or' or "
            "'not', which drop one of them; write ess(400) | seconds(600)"
        )

    def __or__(self, other: StoppingRule) -> StoppingRule:
        return _Combined(self, _checked(other), both=False)

    def __and__(self, other: StoppingRule) -> StoppingRule:
        return _Combined(self, _checked(other), both=True)


@dataclass(frozen=True)
class _EffectiveSampleSize(StoppingRule):
    least: float

    @property
    def fewest_chains(self) -> int:
        """Return how many chains it needs to judge; 0 where it judges none."""
        return 1

    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""
        return max(_many(self.least / nwalkers), FEWEST_ROWS)

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.ess >= self.least) and measures.ess_is_reliable

    def fraction(self, measures: Measures) -> float:
        return _share(measures.ess, self.least)

    def told(self, measures: Measures) -> str:
        if not np.isfinite(measures.ess):
            return "the effective sample size is not known yet"
        told = f"the least effective sample size is {measures.ess:.0f}"
        too_short = f" of a chain shorter than {RELIABLE_LENGTH} autocorrelation times"
        return told + ("" if measures.ess_is_reliable else too_short)

    def __str__(self) -> str:
        return f"ess({self.least:g})"


@dataclass(frozen=True)
class _RHat(StoppingRule):
    most: float

    @property
    def fewest_chains(self) -> int:
        """Return how many chains it needs to judge; 0 where it judges none."""
        return 2

    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""
        return FEWEST_ROWS

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.r_hat <= self.most)

    def fraction(self, measures: Measures) -> float:
        return _share(self.most - 1, measures.r_hat - 1)

    def told(self, measures: Measures) -> str:
        if not np.isfinite(measures.r_hat):
            return "R-hat is not known yet"
        return f"the largest R-hat is {measures.r_hat:.4g}"

    def __str__(self) -> str:
        return f"rhat({self.most:g})"


@dataclass(frozen=True)
class _AutocorrelationTimes(StoppingRule):
    least: float

    @property
    def fewest_chains(self) -> int:
        """Return how many chains it needs to judge; 0 where it judges none."""
        return 1

    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""
        return max(_many(self.least), FEWEST_ROWS)

    def is_met(self, measures: Measures) -> bool:
        return bool(measures.steps >= self.least * measures.tau)

    def fraction(self, measures: Measures) -> float:
        return _share(measures.steps, self.least * measures.tau)

    def told(self, measures: Measures) -> str:
        if not np.isfinite(measures.tau):
            return "the autocorrelation time is not known yet"
        times = measures.steps / measures.tau
        return f"the chain is {times:.0f} autocorrelation times long"

    def __str__(self) -> str:
        return f"autocorr({self.least:g})"


@dataclass(frozen=True)
class _Seconds(StoppingRule):
    most: float

    @property
    def fewest_chains(self) -> int:
        """Return how many chains it needs to judge; 0 where it judges none."""
        return 0

    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""
        return 1

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
    def fewest_chains(self) -> int:
        """Return how many chains the more demanding rule needs."""
        return max(self.first.fewest_chains, self.second.fewest_chains)

    def rows(self, nwalkers: int) -> int:
        """Return how many evenly spaced steps it must see, so that it can be met."""
        return max(self.first.rows(nwalkers), self.second.rows(nwalkers))

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

    The bulk effective sample size (Vehtari et al. 2021) for independent chains. For
    ensembles the draws over the autocorrelation time, of a chain that is at least 50
    such times long: the estimate for a shorter one is too good. Both are taken from
    evenly spaced steps, ten for each effective draw that is asked for, which errs on
    the side of running longer.
    """
    return _EffectiveSampleSize(_positive("ess", least, 400))


def rhat(most: float = 1.01) -> StoppingRule:
    """End a run when no parameter's R-hat is larger (Vehtari et al. 2021).

    Of few draws R-hat may be small by chance: ``rhat(1.01) & ess(400)``.
    """
    if not (_is_number(most) and 1 < most < np.inf):
        raise ValueError(f"expected rhat above 1; got {most!r}; give for instance 1.01")
    return _RHat(float(most))


def autocorr(least: float = 50) -> StoppingRule:
    """End a run when it is this many autocorrelation times long, as emcee asks."""
    return _AutocorrelationTimes(_positive("autocorr", least, 50))


def seconds(most: float) -> StoppingRule:
    """End a run after so much computing time, pauses left out [s]."""
    return _Seconds(_positive("seconds", most, 600))


def _positive(name: str, value: float, usual: float) -> float:
    if not (_is_number(value) and 0 < value < np.inf):
        raise ValueError(
            f"expected {name} above 0; got {value!r}; give for instance {usual}"
        )
    return float(value)


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float | np.integer | np.floating)
    return is_real and not isinstance(value, bool)


def _many(wanted: float) -> int:
    """Return how many rows make the loss of thinning small."""
    return int(np.ceil(ROWS_FOR_ONE * wanted))


def _share(value: float, of: float) -> float:
    """Return value / of within 0 and 1; 0 where it is not known."""
    share = value / of if of else 1.0
    return float(np.clip(share, 0.0, 1.0)) if np.isfinite(share) else 0.0


def check_rule(until: StoppingRule | None) -> None:
    """Raise for what is no rule; None is the lack of one."""
    if until is not None and not isinstance(until, StoppingRule):
        raise TypeError(
            "expected until as a rule such as ampynb.ess(400) or ampynb.seconds("
            f"600); got {until!r}; combine rules with | and &"
        )


def _checked(rule: StoppingRule) -> StoppingRule:
    if not isinstance(rule, StoppingRule):
        raise TypeError(
            "expected another rule, as in ess(400) | seconds(600); got "
            f"{type(rule).__qualname__}; use ess, rhat, autocorr or seconds"
        )
    return rule
