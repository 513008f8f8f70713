"""Simulation-based calibration: what is right passes, what is wrong is named."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Advanced, Event, Finished, PhaseChanged, Started
from ampynb.inference.run import RunFailedError
from ampynb.results.calibration import Calibration
from tests.helpers import Line, NumpyLine, Problem, line_problem
from tests.inference.exact import Exact, OneByOne
from tests.test_compilations import compilations

EXACT = Exact(nwalkers=4, burn=0, iterations=100)
FAST = Scripted(nwalkers=4, burn=0, iterations=25)
ENSEMBLE = anb.Ensemble(nwalkers=16, burn=150, iterations=250)


def calibrate(problem: Problem, sampler: Any, seed: int = 3, **options: Any):
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
    return anb.calibrate(engine, **{"sampler": sampler, "progress": "none", **options})


def line_of(kind: type) -> Problem:
    """Return the line with another class of analysis."""
    problem = line_problem()
    analysis = problem.analysis
    return replace(problem, analysis=kind(analysis.x, analysis.y, analysis.yerr))


# Known answers


def test_exact_draws_are_calibrated():
    found = calibrate(line_problem(), EXACT)
    assert found.is_calibrated
    assert found.names == ("slope", "intercept", "log_likelihood")
    assert found.ranks.shape == (200, 3) and found.n_draws == 99
    assert found.verdict() == [
        "slope is calibrated",
        "intercept is calibrated",
        "log_likelihood is calibrated",
    ]


@pytest.mark.slow
def test_exact_draws_raise_an_alarm_as_often_as_they_should():
    """In 5 % of calibrations at most, and each quantity's p-value is uniform."""
    found = [calibrate(line_problem(), EXACT, seed, n=100) for seed in range(50)]
    alarms = sum(not one.is_calibrated for one in found)
    assert 1 <= alarms <= 7  # 2.5 expected at most, 3 standard deviations of 1.5
    values = np.array([list(one.p_values.values()) for one in found])
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        # 3 standard deviations at one half
        assert np.all(np.abs(np.mean(values <= share, axis=0) - share) < 0.21)


WRONG = {
    "too narrow": ({"width": 0.5}, "pile up at both ends: the posterior is too narrow"),
    "too wide": ({"width": 2.0}, "pile up in the middle: the posterior is too wide"),
    "too high": ({"shift": 1.0}, "are low: the posterior is biased towards high"),
    "too low": ({"shift": -1.0}, "are high: the posterior is biased towards low"),
}


@pytest.mark.parametrize(("options", "told"), WRONG.values(), ids=WRONG)
def test_wrong_draws_are_described(options: dict, told: str):
    found = calibrate(line_problem(), replace(EXACT, **options))
    assert not found.is_calibrated
    slope, intercept, _ = found.verdict()
    assert slope.startswith(f"slope: ranks {told}")
    assert found.p_values["slope"] < 1e-4
    is_off = "shift" not in options
    assert (intercept == "intercept is calibrated") is not is_off


class Overconfident(Line):
    """Its likelihood takes the noise for half of what it is."""

    def log_likelihood_function(self, instance):
        fit = self.fit_from(instance)
        return replace(fit, noise=self.yerr / 2).log_likelihood


@pytest.mark.slow
def test_an_overconfident_likelihood_is_found():
    found = calibrate(line_of(Overconfident), ENSEMBLE, n=100)
    told = "ranks pile up at both ends: the posterior is too narrow"
    assert found.verdict()[:2] == [f"slope: {told}", f"intercept: {told}"]


class Pulled(Line):
    """Its likelihood makes the prior of the slope, Normal(1, 2), Normal(-23, 2)."""

    def log_likelihood_function(self, instance):
        ratio = (-23.0 - 1.0) / 2.0**2 * instance.slope  # of their logarithms
        return self.fit_from(instance).log_likelihood + ratio


def test_a_shifted_prior_is_found_as_a_bias():
    found = calibrate(line_of(Pulled), ENSEMBLE, n=100)
    assert found.verdict()[0] == (
        "slope: ranks are high: the posterior is biased towards low values"
    )


SAMPLERS = {
    "nuts": anb.NUTS(nwalkers=2, burn=300, iterations=300),
    "hmc": anb.HMC(nwalkers=2, burn=300, iterations=300),
    "ensemble": anb.Ensemble(nwalkers=16, burn=300, iterations=600),
    "nested": anb.Nested(nwalkers=100, share_replaced=0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_are_calibrated_on_the_line(name: str):
    found = calibrate(line_problem(), SAMPLERS[name], n=400, draws=49)
    assert found.is_calibrated, found
    assert np.all(found.ess >= 49)


@pytest.mark.slow
def test_numpy_likelihoods_are_calibrated_one_after_another():
    found = calibrate(line_of(NumpyLineWithFit), "ensemble", n=50, **SHORT)
    assert found.is_calibrated, found


# One after another, and together


class NumpyLineWithFit(NumpyLine):
    def fit_from(self, instance):
        model = instance.slope * self.x + instance.intercept
        return anb.GaussianFit(data=self.y, noise=self.yerr, model=model)


SHORT = {"nwalkers": 8, "burn": 100, "iterations": 100}


def test_fits_that_are_made_together_are_those_made_one_by_one():
    together = calibrate(line_problem(), EXACT, n=33)  # two groups of 17
    alone = calibrate(
        line_problem(), OneByOne(nwalkers=4, burn=0, iterations=100), n=33
    )
    np.testing.assert_array_equal(together.truths, alone.truths)
    np.testing.assert_array_equal(together.ranks, alone.ranks)
    np.testing.assert_allclose(together.ess, alone.ess)


@pytest.mark.slow
def test_a_numpy_likelihood_is_fitted_too():
    found = calibrate(line_of(NumpyLineWithFit), "ensemble", n=12, **SHORT)
    assert found.ranks.shape == (12, 3)
    assert found.reason == "completed"
    assert np.ptp(found.ranks[:, 0]) > 20


def test_ranks_follow_the_seed():
    first, again, other = (calibrate(line_problem(), EXACT, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.ranks, again.ranks)
    np.testing.assert_array_equal(first.truths, again.truths)
    assert np.mean(first.ranks == other.ranks) < 0.1


def test_the_observed_data_play_no_part():
    first = calibrate(line_problem(seed=0), EXACT)
    other = calibrate(line_problem(seed=1), EXACT)
    np.testing.assert_array_equal(first.ranks, other.ranks)


def test_a_second_calibration_compiles_nothing():
    calibrate(line_problem(), EXACT)
    with compilations() as names:
        calibrate(line_problem(seed=4), EXACT, seed=5)
    assert names == []


# What is ranked


def test_true_values_are_prior_draws():
    truths = calibrate(line_problem(), EXACT).truths
    standard = (truths - [1.0, 0.0]) / [2.0, 1.0]
    assert np.all(np.abs(standard.mean(axis=0)) < 0.25)
    assert np.all(np.abs(standard.std(axis=0) - 1.0) < 0.2)


def test_further_quantities_are_ranked():
    quantities = {
        "at five": lambda instance: instance.slope * 5.0 + instance.intercept,
        "the same slope": lambda instance: instance.slope,
        "always equal": lambda instance: 0.0 * instance.slope,
    }
    found = calibrate(line_problem(), EXACT, quantities=quantities)
    assert found.names[3:] == tuple(quantities)
    np.testing.assert_array_equal(found.ranks[:, 4], found.ranks[:, 0])
    assert not np.array_equal(found.ranks[:, 3], found.ranks[:, 0])
    assert found.is_calibrated  # ties by lot: constant quantities are uniform too
    assert np.ptp(found.ranks[:, 5]) > 80


@pytest.mark.slow
def test_quantities_of_a_numpy_analysis_are_plain_numpy():
    quantities = {"sum": lambda instance: float(instance.slope) + instance.intercept}
    problem = line_of(NumpyLineWithFit)
    found = calibrate(problem, "ensemble", n=10, quantities=quantities, **SHORT)
    assert found.names[-1] == "sum"


class Rooted(anb.Analysis):
    """Undefined where its parameter is negative."""

    def __init__(self):
        super().__init__()
        self.y = np.zeros(3)

    def fit_from(self, instance):
        return anb.GaussianFit(data=self.y, noise=1.0, model=jnp.sqrt(instance.a))


def rooted(low: float) -> Problem:
    model = anb.Model(a=dist.Uniform(low, 1.0))
    return Problem(Rooted(), model, np.zeros(1), np.eye(1))


def test_prior_draws_without_a_likelihood_are_replaced_and_told():
    found = calibrate(rooted(-1.0), FAST, n=40)
    assert len(found) == 40
    assert np.all(found.truths > 0)
    assert 15 < found.left_out < 80
    assert f"{found.left_out} of {40 + found.left_out} draws" in found.verdict()[-1]


def test_a_model_that_is_defined_nowhere_is_told():
    problem = rooted(-1.0)
    model = problem.model.with_priors(a=dist.Uniform(-2.0, -1.0))
    with pytest.raises(ValueError, match=r"expected .* finite .*; got 200 of 200"):
        calibrate(replace(problem, model=model), FAST, n=10)


# Together with others


@pytest.mark.slow
def test_a_joint_fit_is_calibrated():
    problem = line_problem()
    joint = anb.JointAnalysis(first=problem.analysis, second=problem.analysis)
    found = calibrate(replace(problem, analysis=joint), ENSEMBLE, n=50)
    assert found.is_calibrated, found


# On the way


class Watcher:
    """Keeps the events, and interrupts once, after so many fits or steps."""

    def __init__(self, fits: float = np.inf, steps: float = np.inf):
        self.events: list[Event] = []
        self._fits, self._steps = fits, steps

    def show(self, event: Event) -> None:
        self.events.append(event)
        if not isinstance(event, Advanced):
            return
        if event.metrics["fits_done"] >= self._fits or event.step >= self._steps:
            signal.raise_signal(signal.SIGINT)
            self._fits = self._steps = np.inf


@pytest.mark.parametrize(
    ("sampler", "n"), [(EXACT, 200), (FAST, 30)], ids=["together", "one by one"]
)
def test_the_way_is_told_as_one_run(sampler: Any, n: int):
    watcher = Watcher()
    calibrate(line_problem(), sampler, n=n, progress=watcher)
    first, last = watcher.events[0], watcher.events[-1]
    assert isinstance(first, Started) and isinstance(last, Finished)
    assert sum(isinstance(event, Started | Finished) for event in watcher.events) == 2
    told = [event for event in watcher.events if isinstance(event, Advanced)]
    for name in ("step", "fraction", "seconds"):
        assert np.all(np.diff([getattr(event, name) for event in told]) >= 0)
    assert told[-1].fraction == 1.0 and told[-1].metrics == {"fits_done": n}
    assert first.total == last.step == told[-1].step == told[-1].total
    assert (last.reason, last.message) == ("completed", f"{n} fits done")
    assert any(isinstance(event, PhaseChanged) for event in watcher.events)


def test_an_interrupt_keeps_the_fits_that_are_done():
    whole = calibrate(line_problem(), FAST, n=20)
    part = calibrate(line_problem(), FAST, n=20, progress=Watcher(fits=6))
    assert (part.reason, len(part), part.asked_for) == ("stopped", 6, 20)
    np.testing.assert_array_equal(part.ranks, whole.ranks[:6])
    np.testing.assert_array_equal(part.truths, whole.truths[:6])
    assert part.verdict()[-1] == "stopped after 6 of 20 fits"


def test_an_interrupt_amid_fits_that_are_made_together_leaves_these_out():
    found = calibrate(line_problem(), EXACT, progress=Watcher(steps=101))
    assert (found.reason, len(found)) == ("stopped", 29)  # of seven groups one
    whole = calibrate(line_problem(), EXACT)
    np.testing.assert_array_equal(found.ranks, whole.ranks[:29])


def test_an_interrupt_at_the_last_fit_leaves_nothing_undone():
    watcher = Watcher(fits=20)
    found = calibrate(line_problem(), FAST, n=20, progress=watcher)
    assert (found.reason, len(found)) == ("completed", 20)


def test_an_interrupt_before_the_first_fit_leaves_an_empty_calibration():
    found = calibrate(line_problem(), EXACT, progress=Watcher(fits=0))
    assert (len(found), found.reason) == (0, "stopped")
    assert not found.is_calibrated
    assert "no fit was finished" in found.verdict()[0] and repr(found)
    with pytest.raises(ValueError, match=r"expected fits to draw; got none"):
        found.plot()


def test_a_fit_that_fails_is_told_and_the_others_are_kept():
    with pytest.raises(RunFailedError) as caught:
        calibrate(line_problem(), replace(FAST, fails_at=20))
    found: Any = caught.value.result
    assert isinstance(found, Calibration) and found.reason == "failed"


# Misuse


class NoFit(anb.Analysis):
    def log_likelihood_function(self, instance):
        return -(instance.slope**2) - instance.intercept**2


class Silent(Line):
    """Its fit is the log likelihood alone."""

    def fit_from(self, instance):
        return Likelihood(super().fit_from(instance).log_likelihood)


class Likelihood:
    def __init__(self, log_likelihood):
        self.log_likelihood = log_likelihood


class Limited(Line):
    def fit_from(self, instance):
        return replace(super().fit_from(instance), upper_limit=self.x > 1.0)


class Logarithmic(Line):
    """The data of its fit are computed from its attribute."""

    def fit_from(self, instance):
        return replace(super().fit_from(instance), data=jnp.arcsinh(self.y))


class Forgetful(Line):
    def with_data(self, data, observed):
        return type(self)(self.x, observed, self.yerr)


MISUSED = {
    "no fit": (NoFit, TypeError, r"expected NoFit to have fit_from.*; got none"),
    "no prediction": (Silent, TypeError, r"got a Likelihood without data and predict"),
    "upper limits": (Limited, ValueError, r"got Limited with upper_limit; write"),
    "no such attribute": (Logarithmic, ValueError, r"expected one array .*; got none"),
    "with_data forgets": (Forgetful, ValueError, r"with_data of Forgetful .*got anoth"),
}


@pytest.mark.parametrize(("kind", "error", "told"), MISUSED.values(), ids=MISUSED)
def test_an_analysis_that_cannot_simulate_is_refused(kind: Any, error: Any, told: str):
    problem = line_problem()
    problem = replace(problem, analysis=kind()) if kind is NoFit else line_of(kind)
    with pytest.raises(error, match=told):
        calibrate(problem, FAST, n=10)


def test_a_factor_without_data_among_analyses_is_refused():
    """True values that are drawn from the prior alone would not be of this model."""
    problem = line_problem()
    joint = anb.JointAnalysis(line=problem.analysis, prior=NoFit())
    with pytest.raises(TypeError, match=r"NoFit of 'prior' .*got none; .*the priors"):
        calibrate(replace(problem, analysis=joint), FAST, n=10)


OPTIONS = {
    "few fits": ({"n": 9}, r"expected n .*at least 10; got 9; give"),
    "half a fit": ({"n": 20.5}, r"expected n as a whole number.*got 20.5"),
    "few draws": ({"draws": 8}, r"expected draws .*at least 9; got 8"),
    "a flag": ({"draws": True}, r"expected draws .*got True"),
    "short chains": ({"draws": 101}, r"at least 101 draws .*got 25 iterations of 4"),
    "a known name": (
        {"quantities": {"slope": lambda instance: 1.0}},
        r"expected quantities .*new names.*got 'slope'",
    ),
    "no function": ({"quantities": {"ratio": 3.0}}, r"expected .*got 'ratio': 3.0"),
    "an array": (
        {"quantities": {"both": lambda one: jnp.stack([one.slope, one.intercept])}},
        r"expected the quantity 'both' as one number.*shape \(2,\)",
    ),
    "an unknown sampler": ({"sampler": "nut"}, r"expected a sampler among"),
    "an unknown renderer": ({"progress": "bar"}, r"expected progress among"),
}


@pytest.mark.parametrize(("options", "told"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_cannot_be_are_refused(options: dict, told: str):
    with pytest.raises(ValueError, match=told):
        calibrate(line_problem(), **{"sampler": FAST, "n": 10, **options})


def test_what_is_no_engine_is_refused():
    analysis: Any = line_problem().analysis
    with pytest.raises(TypeError, match=r"expected an ampynb.InferenceEngine; got Li"):
        anb.calibrate(analysis)
