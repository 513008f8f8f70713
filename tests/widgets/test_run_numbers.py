"""The numbers of a run, by which they are judged, and the tables behind them."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.run_status import RunStatus
from ampynb.results.history import History
from ampynb.widgets.run_details import details_html, tables_of
from ampynb.widgets.run_numbers import (
    BAD,
    GOOD,
    NOT_YET,
    Number,
    duration,
    numbers_html,
    progress_of,
    quality_of,
)
from tests.helpers import line_problem

POSTERIOR = line_problem().posterior
ENSEMBLE, NUTS, NESTED = anb.Ensemble(), anb.NUTS(target_accept=0.8), anb.Nested()
UNDER_WAY = RunStatus(state="sampling", phase=SAMPLING, step=50, total=100)


def run_of(algorithm: Any, history: History | None = None, until: Any = None) -> Any:
    return SimpleNamespace(
        algorithm=algorithm,
        history=history or History(),
        posterior=POSTERIOR,
        until=until,
    )


def history_of(steps: int = 40, phase: str = SAMPLING, **options: Any) -> History:
    history, rng = History(), np.random.default_rng(1)
    position = rng.normal(size=(steps, 4, 2))
    stats = {"lp": -0.5 * np.sum(position**2, axis=-1), **options.pop("stats", {})}
    history.append(Draws(position, stats, phase, options))
    return history


def quality(
    run: Any, metrics: dict | None = None, found: dict | None = None, **status: Any
) -> dict[str, Number]:
    told = dataclasses.replace(UNDER_WAY, metrics=metrics or {}, **status)
    return {number.name: number for number in quality_of(run, told, found or {})}


@pytest.mark.parametrize(
    ("algorithm", "rate", "verdict"),
    [
        (ENSEMBLE, 0.05, BAD),
        (ENSEMBLE, 0.3, GOOD),
        (ENSEMBLE, 0.95, BAD),
        (NUTS, 0.65, BAD),
        (NUTS, 0.75, GOOD),
        (NUTS, 0.99, GOOD),
        (Scripted(), 1.0, ""),
    ],
)
def test_the_acceptance_rate_is_judged_as_the_sampler_needs(algorithm, rate, verdict):
    found = quality(run_of(algorithm), {"acceptance_rate": rate})
    assert found["acceptance rate"].verdict == verdict
    warming = quality(run_of(algorithm), {"acceptance_rate": rate}, phase=WARMUP)
    assert warming["acceptance rate"].verdict == "", "it is still being tuned"


def test_divergences_are_counted_and_none_is_good():
    for share, verdict in ((0, GOOD), (2, BAD)):
        diverging = np.zeros((40, 4), bool)
        diverging[:share] = True
        history = history_of(stats={"diverging": diverging})
        number = quality(run_of(NUTS, history))["divergences"]
        assert (number.text, number.verdict) == (f"{4 * share}", verdict)
    assert "divergences" not in quality(run_of(ENSEMBLE, history_of()))


@pytest.mark.parametrize(
    ("found", "name", "verdict"),
    [
        ({"r_hat": 1.009}, "worst R-hat", GOOD),
        ({"r_hat": 1.02}, "worst R-hat", NOT_YET),
        ({"ess": 401.0}, "least ESS", GOOD),
        ({"ess": 399.0}, "least ESS", NOT_YET),
        ({"ess": 4000.0, "length": 20.0}, "least ESS", NOT_YET),
        ({"ess": 4000.0, "length": 60.0}, "least ESS", GOOD),
        ({"ess": 4000.0, "length": 60.0}, "autocorrelation times", GOOD),
        ({"ess": np.nan}, "least ESS", NOT_YET),
    ],
)
def test_what_gets_better_is_not_yet_good_and_bad_at_the_end(found, name, verdict):
    assert quality(run_of(ENSEMBLE), found=found)[name].verdict == verdict
    ended = quality(run_of(ENSEMBLE), found=found, state="completed")[name].verdict
    assert ended == (GOOD if verdict == GOOD else BAD)


@pytest.mark.parametrize("ess", [np.nan, 399.0, 400.0])
@pytest.mark.parametrize("length", [None, 49.0, 50.0])
def test_the_sign_of_the_least_ess_is_what_its_tooltip_says(ess, length):
    found = {"ess": ess} | ({} if length is None else {"length": length})
    number = quality(run_of(ENSEMBLE), found=found)["least ESS"]
    asked = {
        "never moves": False,
        "good from 400": ess >= 400,
        "50 autocorrelation times": length is None or length >= 50,
    }
    said = [holds for words, holds in asked.items() if words in number.meaning]
    assert (number.verdict == GOOD) == all(said)
    assert number.text == ("unknown" if np.isnan(ess) else f"{ess:.0f}")


def test_a_ladder_is_judged_by_its_worst_pair():
    beta = np.tile([1.0, 0.1, 0.0], (40, 1))
    mean = np.zeros((40, 3))
    for worst, verdict in ((0.25, GOOD), (0.0, BAD)):
        rates = np.tile([0.5, worst], (40, 1))
        history = history_of(beta=beta, swap_rate=rates, log_likelihood_mean=mean)
        found = quality(run_of(anb.Tempered(), history))
        assert found["least swap rate"].text == ("0.25" if worst else "0")
        assert found["least swap rate"].verdict == verdict
        assert "temperatures 2 and 3" in found["least swap rate"].meaning
        assert found["ladder"].text == "3 temperatures, 1 to ∞"


def test_a_nested_run_is_told_by_its_live_points_and_what_evidence_is_left():
    history = History()
    history.note_live(Draws(np.zeros((50, 1, 2)), {}, SAMPLING))
    metrics = {"log_evidence": -12.345, "remaining_evidence": 2.5}
    found = quality(run_of(NESTED, history), metrics)
    assert found["live points"].text == "50"
    assert found["ln Z (log evidence)"].text == "-12.35"
    assert found["remaining evidence"].verdict == NOT_YET
    done = quality(run_of(NESTED, history), {"remaining_evidence": 0.009})
    assert done["remaining evidence"].verdict == GOOD


def test_progress_says_how_far_how_fast_how_long_and_until_when():
    status = dataclasses.replace(UNDER_WAY, rate=10.0, seconds=5.0, fraction=0.5)
    run = run_of(ENSEMBLE, until=anb.ess(400) | anb.seconds(60))
    told = {number.name: number.text for number in progress_of(run, status)}
    assert told == {
        "step": "50 of 100 (50 %)",
        "rate": "10 steps/s",
        "time": "5.0 s",
        "time left": "5 s",
        "ends by": "ess(400) | seconds(60)",
    }


def test_a_time_is_told_in_words():
    told = [duration(seconds) for seconds in (4.4, 64, 3600, 7500)]
    assert told == ["4 s", "1 min 4 s", "1 h 0 min", "2 h 5 min"]


@pytest.mark.parametrize("verdict", [GOOD, BAD, NOT_YET])
def test_a_verdict_is_a_sign_with_a_name_and_not_a_colour_alone(verdict):
    html = numbers_html([Number("a & b", "1 < 2", verdict, 'good from "3"')])
    assert f'aria-label="{verdict}"' in html
    assert "a &amp; b" in html and "1 &lt; 2" in html and "&quot;3&quot;" in html
    signs = {numbers_html([Number("n", "1", v)]).split("<i")[1] for v in (GOOD, BAD)}
    assert len(signs) == 2


# Details


def test_each_chain_has_a_row_and_the_odd_one_stands_out():
    rng = np.random.default_rng(2)
    position = rng.normal(size=(300, 4, 2))
    position[:, 2] += 5.0
    stats = {
        "lp": np.zeros((300, 4)),
        "acceptance_rate": np.tile([0.5, 0.6, 0.7, 0.8], (300, 1)),
        "diverging": np.tile([False, True, False, False], (300, 1)),
        "step_size": np.tile([0.1, 0.2, 0.3, 0.4], (300, 1)),
    }
    history = History()
    history.append(Draws(position, stats, SAMPLING))
    ((caption, table),) = tables_of(run_of(NUTS, history))
    assert caption == "chains"
    assert list(table["chain"]) == ["1", "2", "3", "4"]
    assert list(table["acceptance rate"]) == ["0.50", "0.60", "0.70", "0.80"]
    assert list(table["divergences"]) == ["0", "300", "0", "0"]
    assert list(table["step size"]) == ["0.1", "0.2", "0.3", "0.4"]
    without = [float(text) for text in table["worst R-hat without it"]]
    assert np.argmin(without) == 2 and without[2] < 1.05 < 1.2 < min(without[:2])
    means = [float(text) for text in table["mean slope"]]
    np.testing.assert_allclose(means, position[..., 0].mean(axis=0), atol=0.3)


def test_walkers_are_not_compared_and_the_warm_up_is_called_so():
    ((caption, table),) = tables_of(run_of(ENSEMBLE, history_of(phase=WARMUP)))
    assert caption == "walkers, in the warm-up"
    assert "walker" in table and "worst R-hat without it" not in table
    many = History()
    stats = {"lp": np.zeros((5, 100))}
    many.append(Draws(np.zeros((5, 100, 2)), stats, SAMPLING))
    ((caption, table),) = tables_of(run_of(ENSEMBLE, many))
    assert caption == "walkers: 32 of 100" and len(table["walker"]) == 32


def test_each_temperature_has_a_row():
    history = history_of(
        beta=np.tile([1.0, 0.1, 0.0], (40, 1)),
        swap_rate=np.tile([0.5, 0.25], (40, 1)),
        log_likelihood_mean=np.tile([-1.0, -10.0, -100.0], (40, 1)),
    )
    (caption, table), _ = tables_of(run_of(anb.Tempered(), history))
    assert caption == "temperatures"
    assert table == {
        "temperature": ["1", "10", "∞"],
        "beta": ["1", "0.1", "0"],
        "swaps with the next": ["0.50", "0.25", ""],
        "mean ln likelihood": ["-1", "-10", "-100"],
    }


def test_live_points_have_their_range():
    history = History()
    position = np.stack([np.arange(5.0), -np.arange(5.0)], axis=1)[:, None]
    stats = {"log_likelihood": np.arange(5.0)[:, None], "lp": np.zeros((5, 1))}
    history.note_live(Draws(position, stats, SAMPLING))
    ((caption, table),) = tables_of(run_of(NESTED, history))
    assert caption == "5 live points, ln likelihood 0 to 4"
    assert list(table["parameter"]) == POSTERIOR.model.names
    assert list(table["lowest"]) == ["0", "-4"]
    assert list(table["median"]) == ["2", "-2"]
    assert list(table["highest"]) == ["4", "0"]


def test_before_the_first_draw_there_is_nothing_to_see():
    assert details_html(run_of(ENSEMBLE)) == "nothing drawn yet"
