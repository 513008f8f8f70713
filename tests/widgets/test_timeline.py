"""Moments of runs whose points at each moment are known."""

from dataclasses import dataclass

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Draws, Outcome
from ampynb.algorithms.scripted import Scripted
from ampynb.results.history import History
from ampynb.widgets.timeline import temperatures_of, timeline
from tests.results.builders import LINE, normal_draws, result_of

WARMUP, DRAWS = 5 + normal_draws(40, seed=1), normal_draws(200)
WALKERS = np.concatenate([WARMUP, DRAWS])


def test_a_run_of_walkers_begins_at_its_first_step_and_ends_at_its_last():
    moments = timeline(result_of(DRAWS, warmup=WARMUP), 30)
    assert moments[0].title == "step 1 of 40 of the burn-in"
    assert np.array_equal(moments[0].points, WARMUP[0])
    assert moments[-1].title == "step 200 of 200"
    assert np.array_equal(moments[-1].points, DRAWS[-62:].reshape(-1, 2))
    steps = [title.split()[1] for title in (moment.title for moment in moments)]
    assert len(set(zip(steps, (len(m.title) for m in moments), strict=True))) > 25


def test_points_after_the_burn_in_are_none_of_the_burn_in():
    for moment in timeline(result_of(DRAWS, warmup=WARMUP), 60):
        # its draws are about 5, those of the result about 0
        middle = 5.0 if "burn-in" in moment.title else 0.0
        assert moment.median == pytest.approx([middle, middle], abs=2.0)


def test_the_best_is_the_best_so_far():
    result = result_of(DRAWS, warmup=WARMUP)
    likelihood = np.concatenate(
        [result.warmup_stats["log_likelihood"], result.stats["log_likelihood"]]
    )
    moments = timeline(result, 30)
    assert moments[0].log_likelihood == likelihood[0].max()
    assert moments[-1].log_likelihood == likelihood.max() == result.best.value
    assert np.array_equal(moments[-1].best, result.best.position)
    rising = [moment.log_likelihood for moment in moments]
    assert rising == sorted(rising)


def nested(n=4000, nlive=500, seed=0):
    """Return a nested run that draws without error: a normal in two dimensions.

    The likelihood of a standard normal, uniform prior in a disc of radius 6: the volume
    within a radius r is (r / 6)^2, and points die at volumes exp(-i / nlive).
    """
    random = np.random.default_rng(seed)
    radius = 6 * np.exp(-0.5 * np.cumsum(random.exponential(size=n) / nlive))
    radius = np.append(
        radius, radius[-1] * np.sqrt(np.sort(random.uniform(size=nlive))[::-1])
    )
    angle = random.uniform(0, 2 * np.pi, len(radius))
    position = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    likelihood = -0.5 * radius**2
    stats = {
        "lp": likelihood,
        "log_likelihood": likelihood,
        "live_points": np.append(np.full(n, nlive), np.arange(nlive, 0, -1)),
    }
    dead = {name: values[:n, None] for name, values in stats.items()}
    live = {name: values[None, n:] for name, values in stats.items()}
    history = History()
    history.append(Draws(position[:n, None], dead, "sampling"))
    return anb.Result(
        LINE.posterior,
        anb.Nested(nwalkers=nlive),
        history,
        seed=0,
        seconds=1.0,
        reason="completed",
        live=Draws(position[None, n:], live, "sampling"),
    )


def test_nested_points_are_those_of_the_prior_within_the_contour():
    """Uniform in a disc: the mean of r^2 is half of the edge's, 36 X."""
    moments = timeline(nested(), 15)
    assert moments[0].title.startswith("ln X = 0.00")
    for moment in moments:
        log_volume = float(moment.title.split()[3].rstrip(","))
        squared = np.sum(moment.points**2, axis=1)
        edge = 36 * np.exp(log_volume)
        assert squared.max() < 1.4 * edge
        assert squared.mean() == pytest.approx(edge / 2, rel=0.35)
        assert moment.log_likelihood == pytest.approx(-0.5 * squared.min())
    levels = [float(moment.title.split()[3].rstrip(",")) for moment in moments]
    assert np.diff(levels) == pytest.approx(np.full(14, -8.0 / 14), abs=0.05)


@dataclass(frozen=True, kw_only=True)
class Heated(Scripted):
    """Keeps walkers of three temperatures, each 3 times as wide as the one before."""

    def finish(self, draws, live):
        kept = [draws.position * width for width in (1.0, 3.0, 9.0)]
        tempered = {
            "position": np.stack(kept, axis=1),
            "log_likelihood": np.stack([draws.stats["log_likelihood"]] * 3, axis=1),
            "beta": np.array([1.0, 0.1, 0.0]),
        }
        return Outcome(draws.position, draws.stats, tempered=tempered)


def test_hotter_walkers_are_those_that_were_kept():
    result = result_of(DRAWS, kind=Heated)
    assert temperatures_of(result) == [1.0, 10.0, np.inf]
    cold, hot = (timeline(result, 10, place)[-1] for place in (0, 2))
    assert np.array_equal(cold.points, DRAWS[-62:].reshape(-1, 2))
    assert np.array_equal(hot.points, 9 * DRAWS[-62:].reshape(-1, 2))
    assert temperatures_of(result_of(DRAWS)) == [1.0]
