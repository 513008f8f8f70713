"""What is particular to nested sampling: the evidence, volumes, weights, its end."""

import itertools
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.stats import kstest, multivariate_normal, norm

import ampynb as anb
from ampynb.algorithms.algorithm import Estimate, Outcome
from ampynb.algorithms.insertion import NO_RANK
from ampynb.algorithms.nested import usual_slice_steps
from ampynb.algorithms.nested_evidence import counts_at_death
from ampynb.algorithms.nested_outcome import effective_size, equal_weights
from ampynb.inference.events import Finished
from ampynb.inference.loop import Plan, sampling
from ampynb.results.history import History
from ampynb.results.result import Result
from tests.algorithms.cases import CASES, begin, outcome
from tests.helpers import Problem, line_problem

NESTED: Any = next(case for case in CASES if case.name == "nested").algorithm


class LogLikelihood(anb.Analysis):
    """Any function of an instance."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def log_likelihood_function(self, instance):
        return self.function(instance)


class Box(anb.Analysis):
    """A likelihood of one value within a box and another outside."""

    def __init__(self, share: float, outside: float):
        super().__init__()
        self.share, self.outside = np.array(share), np.array(outside)

    def log_likelihood_function(self, instance):
        return jnp.where(instance.x < self.share, 1.0, self.outside)


def posterior(function, **priors) -> anb.Posterior:
    return anb.Posterior(LogLikelihood(function), anb.Model(**priors))


def line_evidence(problem: Problem) -> float:
    """Return the log density of the data, which is Gaussian where the priors are."""
    x, y, yerr = problem.analysis.x, problem.analysis.y, problem.analysis.yerr
    design = np.stack([x, np.ones_like(x)], axis=1)
    covariance = design @ np.diag([4.0, 1.0]) @ design.T + np.diag(yerr**2)
    spread: Any = covariance  # scipy's annotation knows numbers only
    return multivariate_normal.logpdf(y, design @ [1.0, 0.0], spread)


def correlated(ndim: int = 10, rho: float = 0.5, half_width: float = 5.0):
    """Return a normalised Gaussian in a box, and its log evidence."""
    covariance = np.full((ndim, ndim), rho) + (1 - rho) * np.eye(ndim)
    density = dist.MultivariateNormal(np.zeros(ndim), covariance)
    prior = dist.Uniform(-half_width, half_width).expand([ndim])
    problem = posterior(lambda instance: density.log_prob(instance.x), x=prior)
    return problem, -ndim * np.log(2 * half_width)


def eggbox() -> tuple[anb.Posterior, float]:
    """Return the eggbox (Feroz, Hobson and Bridges 2009, section 6.1)."""
    prior = dist.Uniform(0.0, 10 * np.pi)

    def log_likelihood(instance):
        return (2 + jnp.cos(instance.x / 2) * jnp.cos(instance.y / 2)) ** 5

    return posterior(log_likelihood, x=prior, y=prior), 235.86


def steep(instance):
    """Fall with the distance from zero in one dimension."""
    return -1e3 * jnp.abs(instance.x)


def assert_estimate(found: Outcome, expected: float, sigma: float = 3.0) -> None:
    value, error = found.log_evidence["nested_sampling"]
    assert 0 < error < 0.4
    assert abs(value - expected) < sigma * error, f"{value} +- {error}, not {expected}"


@pytest.fixture(scope="module")
def found() -> Outcome:
    """Return the outcome of the line with its end left to the algorithm."""
    return outcome(replace(NESTED, iterations=None), line_problem().posterior)


# The evidence


def test_the_evidence_of_a_line(found: Outcome):
    assert_estimate(found, line_evidence(line_problem()))


def test_the_error_of_the_evidence_goes_by_the_information(found: Outcome):
    """As sqrt(H / n), with H the information (Skilling 2006, section 5)."""
    weights = np.exp(found.weighted["log_weight"])
    value, error = found.log_evidence["nested_sampling"]
    information = np.sum(weights * found.weighted["log_likelihood"]) - value
    expected = np.sqrt(information / NESTED.nwalkers)
    assert error == pytest.approx(expected, rel=0.25)


@pytest.mark.slow
def test_the_evidence_of_ten_correlated_dimensions():
    problem, expected = correlated()
    found = outcome(anb.Nested(), problem)
    assert_estimate(found, expected)
    # 1600 draws, of which a variance has the relative error sqrt(2 / n)
    assert found.position.var(axis=(0, 1)) == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_the_evidence_of_an_eggbox_and_its_modes():
    problem, expected = eggbox()
    found = outcome(anb.Nested(nwalkers=1000), problem)
    assert_estimate(found, expected)
    # a mode where both cosines have the same sign: 5 columns of 3 or 2 in turn
    column = np.round(found.position[:, 0] / (2 * np.pi)).astype(int)
    modes = np.unique(column, axis=0)
    assert np.all(modes.sum(axis=1) % 2 == 0)
    assert len(modes) == 18


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "share_replaced"),
    [("line", 0.02), ("line", 0.1), ("line", 0.5), ("correlated", 0.1)],
)
def test_errors_of_the_evidence_are_its_scatter(problem: str, share_replaced: float):
    if problem == "line":
        target, expected = line_problem().posterior, line_evidence(line_problem())
    else:
        target, expected = correlated()
    sampler = anb.Nested(nwalkers=200, share_replaced=share_replaced)
    runs = [outcome(sampler, target, seed=seed) for seed in range(40)]
    values, errors = np.transpose([run.log_evidence["nested_sampling"] for run in runs])
    pulls = (values - expected) / errors
    assert abs(pulls.mean()) < 3 / np.sqrt(len(pulls))
    # 3 standard errors of a standard deviation either way
    assert pulls.std(ddof=1) == pytest.approx(1.0, abs=3 / np.sqrt(2 * len(pulls)))


def gaussian(ndim: int) -> tuple[anb.Posterior, float]:
    """Return a Gaussian likelihood beside a Gaussian prior, and its log evidence."""
    centre = np.arange(ndim) / ndim

    def log_likelihood(instance):
        return -0.5 * jnp.sum((instance.v - centre) ** 2)

    exact = -0.5 * ndim * np.log(2) - np.sum(centre**2) / 4
    return posterior(log_likelihood, v=dist.Normal(np.zeros(ndim), 1.0)), exact


@pytest.mark.slow
def test_few_live_points_are_not_biased_and_named():
    """The covariance of all 60 would pull new points inwards, by 3 errors."""
    target, expected = gaussian(15)
    found = outcome(anb.Nested(nwalkers=60), target)
    assert_estimate(found, expected, sigma=4.0)
    (told,) = found.trouble
    assert "60 for 15 parameters" in told and "nwalkers" in told


@pytest.mark.slow
def test_many_parameters_with_few_live_points():
    target, expected = gaussian(40)
    found = outcome(anb.Nested(nwalkers=200), target)
    assert_estimate(found, expected)
    assert found.trouble == ()


def test_slice_steps_go_by_the_number_of_parameters():
    assert list(map(usual_slice_steps, [1, 5, 20, 40, 60])) == [20, 20, 60, 240, 540]


@pytest.mark.parametrize(
    "name", ["nested", pytest.param("dynesty", marks=pytest.mark.slow)]
)
def test_points_have_insertion_ranks_but_for_the_first(name: str):
    case = next(case for case in CASES if case.name == name)
    found = outcome(case.enough(), case.problem().posterior, seed=1)
    ranks = found.weighted["insertion_rank"]
    assert np.sum(ranks == NO_RANK) == case.walkers_for_moments
    assert kstest(ranks[ranks != NO_RANK], "uniform").pvalue > 1e-3
    assert found.trouble == ()


# Regions without likelihood, and plateaus


@pytest.mark.slow
def test_an_infeasible_region_takes_its_share_of_the_prior():
    problem = line_problem()

    class HalfLine(type(problem.analysis)):
        def log_likelihood_function(self, instance):
            value = super().log_likelihood_function(instance)
            return jnp.where(instance.slope > 1.4, value, jnp.nan)

    analysis = problem.analysis
    half = HalfLine(analysis.x, analysis.y, analysis.yerr)
    above = norm.sf(1.4, problem.mean[0], problem.covariance[0, 0] ** 0.5)
    found = outcome(anb.Nested(), anb.Posterior(half, problem.model))
    assert_estimate(found, line_evidence(problem) + float(np.log(above)))
    assert np.all(found.position[..., 0] > 1.4)
    assert found.trouble == ()


@pytest.mark.parametrize("outside", [np.nan, -2.0])
def test_a_plateau_counts_by_the_points_that_are_on_it(outside: float):
    """The share of a box is known from the first points, as a binomial's."""
    share, nlive = 0.3, 500
    target = anb.Posterior(Box(share, outside), anb.Model(x=dist.Uniform(0.0, 1.0)))
    found = outcome(anb.Nested(nwalkers=nlive), target)
    outside = -np.inf if np.isnan(outside) else outside
    expected = np.log(share * np.exp(1.0) + (1 - share) * np.exp(outside))
    value, error = found.log_evidence["nested_sampling"]
    assert abs(value - expected) < 3 * error
    ratio = (np.exp(1.0) - np.exp(outside)) / np.exp(expected)
    binomial = ratio * np.sqrt(share * (1 - share) / nlive)
    assert error == pytest.approx(binomial, rel=0.2)
    assert found.trouble == (), "nothing is left to explore on a plateau"


@pytest.mark.parametrize(
    ("dead", "contour", "unborn", "expected"),
    [
        ([1.0, 2.0, 3.0], -np.inf, 0, [9, 8, 7]),
        ([3.0, 3.0, 4.0], 3.0, 3, [6, 5, 7]),  # born at 3: those on it die before
        ([3.0, 3.0, 3.0], 3.0, 6, [3, 2, 1]),
        ([-np.inf, 1.0, 2.0], -np.inf, 0, [9, 8, 7]),
        ([-np.inf, 1.0, 2.0], -np.inf, 3, [6, 8, 7]),
    ],
)
def test_points_of_the_same_likelihood_die_before_others_are_born(
    dead: list, contour: float, unborn: int, expected: list
):
    counts = counts_at_death(np.array(dead), 9, contour, unborn)
    np.testing.assert_array_equal(counts, expected)


# Volumes, weights and draws


@pytest.mark.slow
def test_volumes_are_those_within_the_contours():
    """In one dimension the volume within a contour is known of each point."""
    target = posterior(steep, x=dist.Uniform(-1.0, 1.0))
    found = outcome(anb.Nested(nwalkers=400), target)
    n_dead = np.sum(~found.weighted["alive"])
    exact = np.log(np.abs(found.weighted["position"][:n_dead, 0]))
    counts = np.tile(400 - np.arange(40), n_dead // 40)
    error = np.sqrt(np.cumsum(1.0 / counts**2))
    deviation = (exact - found.weighted["log_volume"][:n_dead]) / error
    assert np.all(np.abs(deviation[100::500]) < 4)
    assert_estimate(found, np.log1p(-np.exp(-1e3)) - np.log(1e3))


def test_weighted_draws_are_a_sample_of_the_posterior(found: Outcome):
    problem, weights = line_problem(), np.exp(found.weighted["log_weight"])
    assert weights.sum() == pytest.approx(1.0)
    size = effective_size(weights)
    mean = weights @ found.weighted["position"]
    error = np.sqrt(np.diag(problem.covariance) / size)
    assert np.all(np.abs(mean - problem.mean) < 4 * error)
    assert np.all(np.diff(found.weighted["log_volume"]) < 0)
    assert np.all(np.diff(found.weighted["log_likelihood"]) >= 0)
    assert found.weighted["alive"].sum() == NESTED.nwalkers


def test_draws_of_equal_weight_are_among_the_weighted(found: Outcome):
    weights = np.exp(found.weighted["log_weight"])
    assert found.position.shape == (int(effective_size(weights)), 1, 2)
    places = {tuple(point): i for i, point in enumerate(found.weighted["position"])}
    chosen = [places[tuple(point)] for point in found.position[:, 0]]
    np.testing.assert_array_equal(
        found.stats["log_likelihood"][:, 0], found.weighted["log_likelihood"][chosen]
    )


def test_resampling_is_unbiased():
    weights = np.random.default_rng(1).exponential(size=40) ** 3
    weights /= weights.sum()
    n = int(effective_size(weights))
    counts = np.zeros((4000, 40))
    for seed in range(len(counts)):
        chosen = equal_weights(weights, np.random.default_rng(seed))
        assert len(chosen) == n
        counts[seed] = np.bincount(chosen, minlength=40)
    assert np.all(np.abs(counts - n * weights) < 1)
    # a count is one of two neighbours: its variance is at most that of a coin
    share = n * weights % 1
    error = np.sqrt(share * (1 - share) / len(counts))
    assert np.all(np.abs(counts.mean(axis=0) - n * weights) < 5 * error + 1e-3)


def test_draws_come_in_random_order(found: Outcome):
    rising = np.corrcoef(
        np.arange(len(found.position)), found.stats["log_likelihood"][:, 0]
    )[0, 1]
    assert abs(rising) < 5 / np.sqrt(len(found.position))


def test_the_same_draws_give_the_same_outcome(found: Outcome):
    again = outcome(replace(NESTED, iterations=None), line_problem().posterior, n=13)
    assert again.log_evidence == found.log_evidence
    np.testing.assert_array_equal(again.position, found.position)


# The end, and an early one


def engine(problem: Any = None, seed: int = 2) -> anb.InferenceEngine:
    problem = problem or line_problem()
    return anb.InferenceEngine(problem.analysis, problem.model, seed=seed)


def run(**options: Any) -> anb.Result:
    return engine().run(**{"sampler": NESTED, "progress": "none", **options})


def test_a_run_ends_where_little_evidence_remains():
    result = run()
    assert (result.reason, result.message) == ("completed", "")
    state: Any = result.history.state
    assert 0.003 < float(state.evidence.remaining) < NESTED.dlogz
    alive = result.outcome.weighted["alive"]
    held = np.exp(result.outcome.weighted["log_weight"][alive]).sum()
    assert held == pytest.approx(NESTED.dlogz, rel=0.5)
    total = float(state.evidence.log_total)
    assert result.log_evidence is not None
    assert total == pytest.approx(result.log_evidence.value, abs=0.1)
    assert result.verdict() == []


def test_a_run_stopped_early_has_the_evidence_of_its_live_points_and_says_so():
    result = run(iterations=40)
    assert result.log_evidence is not None
    value, error = result.log_evidence
    assert abs(value - line_evidence(line_problem())) < 3 * error
    told = " ".join(result.verdict())
    assert "stopped early" in told and "dlogz=0.01" in told
    assert "few independent draws" in told


def test_a_rule_of_time_ends_it():
    target, history = line_problem().posterior, History()
    sampler = replace(NESTED, iterations=None)
    plan = Plan(target, sampler, seed=0, until=anb.seconds(5))
    clock = itertools.count().__next__  # a second for whatever is done
    *_, last = sampling(plan, history, clock=clock)
    assert isinstance(last, Finished) and last.reason == "completed"
    assert last.message.startswith("ended by seconds(5)")
    result = Result(
        target, sampler, history, seed=0, seconds=5.0, reason="completed", message=""
    )
    assert "stopped early" in " ".join(result.verdict())


def test_a_run_that_ends_before_its_time_is_not_told_to_run_longer():
    result = run(until=anb.seconds(1000))
    assert (result.reason, result.message) == ("completed", "")


# What it leaves


def test_tables_have_what_weighted_draws_have():
    result, problem = run(), line_problem()
    table, size = (
        result.summary(),
        effective_size(np.exp(result.outcome.weighted["log_weight"])),
    )
    assert list(table.columns) == [
        *("unit", "mean", "sd", "q05", "median", "q95", "mcse_mean", "ess")
    ]
    np.testing.assert_allclose(table["ess"], size)
    sd = np.sqrt(np.diag(problem.covariance))
    tolerance = 4 / np.sqrt(size)
    np.testing.assert_allclose(table["mean"], problem.mean, atol=tolerance * sd.max())
    np.testing.assert_allclose(table["sd"], sd, rtol=tolerance)
    quantiles = table[["q05", "median", "q95"]].to_numpy()
    exact = problem.mean[:, None] + sd[:, None] * norm.ppf([0.05, 0.5, 0.95])
    np.testing.assert_allclose(quantiles, exact, atol=2 * tolerance * sd.max())
    shown = repr(result), result._repr_html_(), repr(result.diagnostics())
    assert all("log evidence" in text for text in shown[:2])
    assert not any(word in text for text in shown for word in ("R-hat", "r_hat", "tau"))


def test_arviz_gets_both_posteriors_and_the_evidence():
    result = run()
    data = result.idata
    assert data["posterior"]["slope"].shape == (1, len(result.draws))
    weighted = data["weighted_posterior"]
    assert {"slope", "intercept", "log_weight", "log_volume", "alive"} <= set(weighted)
    attributes = data.attrs
    found = attributes["log_evidence"], attributes["log_evidence_error"]
    assert Estimate(*found) == result.log_evidence


def test_pictures_are_drawn_of_its_draws():
    result = run()
    assert len(result.trace("slope").axes) == 2
    assert len(result.corner().axes) == 4
    assert result.plot_fit(n=20).axes


def test_a_saved_run_is_the_same_when_it_is_opened(tmp_path):
    problem = line_problem()
    options = {"sampler": NESTED, "progress": "none", "path": tmp_path / "run"}
    engine(problem).run(iterations=60, **options)
    resumed = engine(problem).run(resume=True, **options)
    whole, opened = run(), anb.open_run(tmp_path / "run")
    for result in (resumed, opened):
        np.testing.assert_array_equal(result.draws, whole.draws)
        assert result.log_evidence == whole.log_evidence
        assert result.verdict() == whole.verdict()


def test_a_run_goes_on_after_a_step_without_likelihood(tmp_path):
    """Its last draws have the log likelihood -inf, where the function gives NaN."""
    options = {"sampler": anb.Nested(nwalkers=500), "progress": "none"}
    model = anb.Model(x=dist.Uniform(0.0, 1.0))
    one = anb.InferenceEngine(Box(0.3, np.nan), model)
    one.run(path=tmp_path / "run", iterations=2, **options)
    resumed = one.run(path=tmp_path / "run", resume=True, **options)
    np.testing.assert_array_equal(resumed.draws, one.run(**options).draws)


# Misuse


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"burn": 100}, ("no burn", "burn=100", "leave it out")),
        ({"start": [1.0, 0.0]}, ("no start", "'nested'", "leave it out")),
        ({"run_kw": {"thin_by": 2}}, ("no thin_by", "thin_by=2", "leave it out")),
        ({"until": anb.ess(100)}, ("seconds", "'nested'", "leave it out")),
        ({"nwalkers": 10}, ("nwalkers", "at least 20", "got 10")),
        ({"iterations": 0}, ("iterations", "got 0")),
        ({"sampler_kw": {"dlogz": 0.0}}, ("dlogz above 0", "got 0.0", "usual")),
        ({"sampler_kw": {"share_replaced": 0.7}}, ("share_replaced", "0.7", "0.1")),
        ({"sampler_kw": {"slice_steps": 0}}, ("slice_steps", "got 0", "leave it out")),
        ({"workers": 2}, ("workers=None", "workers=2")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_refused(options: dict, words: tuple):
    with pytest.raises(ValueError) as error:
        run(sampler="nested", **options)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_priors_without_a_distribution_function_are_refused_by_name():
    problem = line_problem()
    joint = dist.MultivariateNormal(np.zeros(2), np.eye(2))
    model = anb.Model(slope=joint, intercept=dist.Gamma(2.0, 1.0), other=joint)
    with pytest.raises(ValueError, match=r"none for slope, other; use for instance"):
        anb.Nested().check(anb.Posterior(problem.analysis, model))


@pytest.mark.parametrize(
    ("log_likelihood", "words"),
    [
        (lambda x: 0.0 * x + 2.0, r"differs between draws .* got 2 at all of 500"),
        (lambda x: jnp.where(x < 1e-3, x, -jnp.inf), r"10 or more of 500 .* move"),
    ],
    ids=["constant", "nearly nowhere"],
)
def test_likelihoods_that_lead_nowhere_are_refused(log_likelihood: Any, words: str):
    target = posterior(
        lambda instance: log_likelihood(instance.x), x=dist.Uniform(0.0, 1.0)
    )
    sampler = anb.Nested()
    sampler.check(target)
    with pytest.raises(ValueError, match=words):
        begin(sampler, target)
