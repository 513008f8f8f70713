"""The numbers that matter for a run, and whether they are good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import NamedTuple

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm
from ampynb.inference.renderers import number_text
from ampynb.inference.run import Run, RunStatus
from ampynb.results.diagnostics import (
    GOOD_ESS,
    GOOD_R_HAT,
    GOOD_SWAP_RATE,
    RELIABLE_LENGTH,
)

__all__ = [
    "BAD",
    "GOOD",
    "NOT_YET",
    "Number",
    "duration",
    "numbers_html",
    "progress_of",
    "quality_of",
]

# Foreman-Mackey et al. 2013 ask for 0.2 to 0.5; in few dimensions more is usual.
GOOD_ACCEPTANCE = (0.2, 0.8)
ACCEPTANCE_BELOW_TARGET = 0.1  # of which a tuned step size may fall short
METRICS = {"log_evidence": "ln Z (log evidence)"}
GOOD, BAD, NOT_YET = "good", "bad", "not yet"
SIGNS = {GOOD: "✓", BAD: "⚠", NOT_YET: "…"}


class Number(NamedTuple):
    """A number of a run.

    Attributes
    ----------
    name, text : str
    verdict : str
        ``"good"``, ``"bad"``, ``"not yet"`` for what gets better as the run goes on,
        or nothing where there is nothing to judge.
    meaning : str
        By what it is judged.
    """

    name: str
    text: str
    verdict: str = ""
    meaning: str = ""


def progress_of(run: Run, status: RunStatus) -> Iterator[Number]:
    """Yield how far a run is."""
    yield Number("step", f"{status.steps} ({100 * status.fraction:.0f} %)")
    if status.rate:
        yield Number("rate", f"{status.rate:.3g} steps/s")
    yield Number("time", f"{status.seconds:.1f} s", meaning="computing time")
    if status.seconds_left is not None and not status.ended:
        yield Number("time left", duration(status.seconds_left))
    if run.until is not None:
        yield Number("ends by", f"{run.until}", meaning="the rule that ends the run")


def quality_of(
    run: Run, status: RunStatus, found: Mapping[str, float]
) -> Iterator[Number]:
    """Yield what tells whether a run's draws are good.

    Parameters
    ----------
    found : dict of str to float
        Of `live_numbers`, and ``ess_per_second``.
    """
    algorithm, history = run.algorithm, run.history
    judges = status.phase == SAMPLING
    if (live := history.live) is not None:
        yield Number("live points", f"{live.position[..., 0].size}")
    for name, value in status.metrics.items():
        verdict, meaning = _of_metric(name, value, algorithm) if judges else ("", "")
        told = METRICS.get(name, name.replace("_", " "))
        yield Number(told, number_text(value), verdict, meaning)
    yield from _of_ladder(run)
    divergences = history.count("diverging")
    if divergences is not None:
        told = GOOD if divergences == 0 else BAD
        yield Number("divergences", f"{divergences}", told, "good where there are none")
    for name, text, is_good, meaning in _of_chains(found):
        not_good = BAD if status.ended else NOT_YET
        yield Number(name, text, GOOD if is_good else not_good, meaning)
    rate = found.get("ess_per_second", np.nan)
    if not np.isnan(rate):
        meaning = "of computing time, compilation and warm-up included"
        told = f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"
        yield Number("ESS per second", told, meaning=meaning)
    best = history.best()
    if best is not None and np.isfinite(best.value):
        yield Number("best ln posterior", f"{best.value:.2f}")


def _of_metric(name: str, value: float, algorithm: Algorithm) -> tuple[str, str]:
    """Return how one of the algorithm's own numbers is judged, and by what."""
    if name == "acceptance_rate" and not algorithm.independent_chains:
        low, high = GOOD_ACCEPTANCE
        told = GOOD if low <= value <= high else BAD
        return told, f"good from {low} to {high}"
    target = getattr(algorithm, "target_accept", None)
    if name == "acceptance_rate" and target is not None:
        least = target - ACCEPTANCE_BELOW_TARGET
        return GOOD if value >= least else BAD, f"good from {least:.2g}"
    least_left = getattr(algorithm, "dlogz", None)
    if name == "remaining_evidence" and least_left is not None:
        told = GOOD if value < least_left else NOT_YET
        return told, f"the run ends below {least_left:g}"
    return "", ""


def _of_ladder(run: Run) -> Iterator[Number]:
    """Yield what tells whether the temperatures of a ladder exchange their walkers."""
    tally = run.history.tally[SAMPLING]
    rates, beta = tally.mean("swap_rate"), tally.last("beta")
    if rates is None or beta is None or not rates.size:
        return
    pair = int(np.argmin(rates))
    told = GOOD if rates[pair] >= GOOD_SWAP_RATE else BAD
    meaning = (
        f"between temperatures {pair + 1} and {pair + 2}; good from {GOOD_SWAP_RATE}"
    )
    yield Number("least swap rate", number_text(float(rates[pair])), told, meaning)
    hottest = "∞" if beta[-1] == 0 else f"{1 / beta[-1]:.3g}"
    yield Number("ladder", f"{len(beta)} temperatures, 1 to {hottest}")


def _of_chains(found: Mapping[str, float]) -> Iterator[tuple[str, str, bool, str]]:
    """Yield what is known of chains: name, text, whether it is good, and by what."""
    if (r_hat := found.get("r_hat")) is not None:
        meaning = f"good up to {GOOD_R_HAT}"
        yield "worst R-hat", _or_unknown(r_hat, ".3f"), r_hat <= GOOD_R_HAT, meaning
    if (ess := found.get("ess")) is not None:
        length = found.get("length")
        is_good = ess >= GOOD_ESS and (length is None or length >= RELIABLE_LENGTH)
        yield "least ESS", _or_unknown(ess, ".0f"), is_good, _of_size(ess, length)
    if (length := found.get("length")) is not None:
        meaning = f"good from {RELIABLE_LENGTH}, where tau can be trusted"
        is_good = length >= RELIABLE_LENGTH
        yield "autocorrelation times", f"{length:.0f}", is_good, meaning


def _of_size(ess: float, length: float | None) -> str:
    """Return by what an effective sample size is judged."""
    if np.isnan(ess):
        return "effective draws: unknown, as a parameter never moves"
    meaning = f"effective draws: good from {GOOD_ESS}"
    if length is None:
        return meaning
    # An ensemble's is too good while its chain is short.
    return f"{meaning}, once the chain is {RELIABLE_LENGTH} autocorrelation times long"


def _or_unknown(value: float, form: str) -> str:
    return "unknown" if np.isnan(value) else f"{value:{form}}"


def duration(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def numbers_html(numbers: Iterable[Number]) -> str:
    """Return numbers with their names, good and bad ones marked by sign and colour."""
    return f'<div class="ampynb-run-numbers">{" ".join(map(_html, numbers))}</div>'


def _html(number: Number) -> str:
    name, text, verdict, meaning = number
    title = f' title="{escape(meaning)}"' if meaning else ""
    kind = f' class="ampynb-{verdict.replace(" ", "-")}"' if verdict else ""
    sign = ""
    if verdict:
        sign = f' <i role="img" aria-label="{verdict}">{SIGNS[verdict]}</i>'
    return (
        f"<span{title}><small>{escape(name)}</small> "
        f"<b{kind}>{escape(text)}{sign}</b></span>"
    )
