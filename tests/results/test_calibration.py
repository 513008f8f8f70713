"""What a calibration says of its ranks, in numbers and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from ampynb.results.calibration import Calibration

N, DRAWS = 200, 99


def calibration(*columns: np.ndarray, **changes: Any) -> Calibration:
    """Return a calibration whose ranks are at given shares of all."""
    shares = np.stack(columns, axis=1)
    names = ("slope", "scatter", "log_likelihood")[: len(columns)]
    told: dict[str, Any] = {
        "names": names,
        "ranks": np.minimum((shares * (DRAWS + 1)).astype(int), DRAWS),
        "n_draws": DRAWS,
        "truths": np.zeros((len(shares), 2)),
        "ess": np.full(len(shares), 300.0),
        "asked_for": len(shares),
        "left_out": 0,
        "sampler": "nuts",
        "seed": 1,
        "seconds": 12.34,
        "reason": "completed",
    }
    return Calibration(**{**told, **changes})


def uniform(seed: int = 0, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=n)


NARROW = beta.ppf(uniform(1), 0.5, 0.5)
WIDE = beta.ppf(uniform(2), 2.0, 2.0)
HIGH = beta.ppf(uniform(3), 2.0, 1.0)
LOW = beta.ppf(uniform(3), 1.0, 2.0)
ODD = np.where(uniform(4) < 0.5, 0.25, 0.7)  # of right mean, and about right spread

SAYS = {
    "uniform": (uniform(), "slope is calibrated"),
    "narrow": (NARROW, "slope: ranks pile up at both ends: the posterior is too narr"),
    "wide": (WIDE, "slope: ranks pile up in the middle: the posterior is too wide"),
    "high": (HIGH, "slope: ranks are high: the posterior is biased towards low value"),
    "low": (LOW, "slope: ranks are low: the posterior is biased towards high values"),
    "odd": (ODD, "slope: ranks "),
}


@pytest.mark.parametrize(("shares", "told"), SAYS.values(), ids=SAYS)
def test_ranks_are_put_into_words(shares: np.ndarray, told: str):
    found = calibration(shares)
    (sentence,) = found.verdict()
    assert sentence.startswith(told)
    assert found.is_calibrated is (told == "slope is calibrated")


def test_both_faults_of_one_quantity_are_told():
    tilted = beta.ppf(uniform(5), 0.25, 0.4)
    (sentence,) = calibration(tilted).verdict()
    assert "too narrow, and are low: the posterior is biased" in sentence


def test_ranks_that_are_off_in_neither_way_are_told_too():
    in_two = np.where(np.arange(N) % 2, 0.5 - 0.2887, 0.5 + 0.2887)
    (sentence,) = calibration(in_two).verdict()
    assert sentence == "slope: ranks are not uniform, in a way of its own: see plot()"


def test_the_log_likelihood_has_words_of_its_own():
    words = calibration(uniform(), uniform(9), LOW).verdict()[2]
    assert (
        words
        == "log_likelihood: ranks are low: draws fit the data better than they should"
    )


def test_one_quantity_may_be_off_beside_one_that_is_not():
    found = calibration(uniform(), NARROW)
    assert found.verdict() == [
        "slope is calibrated",
        "scatter: ranks pile up at both ends: the posterior is too narrow",
    ]
    assert not found.is_calibrated
    assert found.p_values["scatter"] < 1e-4 < 0.05 < found.p_values["slope"]


def test_more_quantities_make_a_verdict_milder():
    """The band is widened so that all together raise an alarm in 5 % of cases."""
    shares = ((np.arange(N) + 0.5) / N) ** 1.3  # p is 0.034
    alone, among = calibration(shares), calibration(shares, uniform(), uniform(9))
    assert 0.05 / 3 < alone.p_values["slope"] < 0.05
    assert not alone.is_calibrated
    assert among.is_calibrated
    assert np.all(among.band.high >= alone.band.high)


def test_few_independent_draws_are_told():
    ess = np.full(N, 300.0)
    ess[:7] = [20.2, 98.9, 50.0, 60.0, 70.0, 80.0, np.nan]
    told = calibration(uniform(), ess=ess).verdict()[-1]
    assert told.startswith("7 of 200 fits have fewer than 99 independent draws, the l")
    assert "the least 20," in told


def test_what_was_left_out_and_left_undone_is_told():
    found = calibration(uniform(), left_out=3, asked_for=300, reason="stopped")
    _, left_out, undone = found.verdict()
    assert "3 of 303 draws from the prior" in left_out
    assert undone == "stopped after 200 of 300 fits"
    assert found.is_calibrated


def test_the_views_say_what_it_is():
    found = calibration(uniform(), NARROW)
    for view in (repr(found), found._repr_html_()):
        assert "200 fits" in view and "99 draws each, in 12.3 s" in view
        assert "slope is calibrated" in view and "too narrow" in view
        assert "p_value" in view
    html = found._repr_html_()
    assert "✓ slope" in html and "⚠ scatter" in html
    assert "<b>" in calibration(uniform(), sampler="<i>")._repr_html_()
    assert "<i>" not in calibration(uniform(), sampler="<i>")._repr_html_()


def test_the_table_is_in_sigma():
    table = calibration(HIGH, NARROW).table
    assert list(table.index) == ["slope", "scatter"]
    assert list(table.columns) == ["p_value", "bias", "spread"]
    assert table.loc["slope", "bias"] > 5 and abs(table.loc["scatter", "bias"]) < 3
    assert table.loc["scatter", "spread"] > 5


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        calibration(uniform()).seed = 3  # type: ignore[misc]
