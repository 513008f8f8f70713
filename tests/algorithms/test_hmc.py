"""What is particular to Hamiltonian chains: adaptation, trajectories, divergences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from tests.algorithms.cases import BURN
from tests.helpers import line_problem


def run(kind: type = anb.NUTS, **options) -> anb.Result:
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=2)
    sampler = kind(**{"nwalkers": 4, "burn": BURN, "iterations": 1000, **options})
    return engine.run(sampler=sampler, progress="none")


@pytest.fixture(scope="module")
def result() -> anb.Result:
    return run()


def test_chains_begin_at_the_start():
    # the priors are normal, so that z is the vector
    posterior = line_problem().posterior
    start = np.random.default_rng(0).normal(size=(4, 2))
    sampler = anb.NUTS(nwalkers=4, burn=BURN)
    state = sampler.init(posterior, jax.random.key(0), Start(start))
    np.testing.assert_allclose(state.kernel.z, start)


def test_the_step_size_is_frozen_after_the_warmup(result: anb.Result):
    assert np.all(np.ptp(result.stats["step_size"], axis=0) == 0)
    assert np.all(np.ptp(result.warmup_stats["step_size"], axis=0) > 0)


def test_the_warmup_is_accepted_at_its_target(result: anb.Result):
    # what dual averaging brings about (Hoffman and Gelman 2014, equation 5)
    rate = result.warmup_stats["acceptance_rate"].mean()
    assert rate == pytest.approx(0.8, abs=0.05)
    assert 0.7 < result.stats["acceptance_rate"].mean() < 0.97


def test_a_trajectory_has_the_steps_of_its_tree(result: anb.Result):
    steps, depth = result.stats["n_steps"], result.stats["tree_depth"]
    assert np.issubdtype(depth.dtype, np.integer)
    assert np.all((2.0 ** (depth - 1) <= steps) & (steps < 2.0**depth))


def test_the_energy_is_the_potential_and_more(result: anb.Result):
    # z is the vector, so that the potential is -lp; the kinetic energy of n
    # dimensions has mean n / 2, here 1
    kinetic = result.stats["energy"] + result.stats["lp"]
    assert np.all(np.isfinite(kinetic))
    assert kinetic.mean() == pytest.approx(1.0, abs=0.15)


def test_a_gaussian_has_no_divergences(result: anb.Result):
    assert result.stats["diverging"].dtype == bool
    assert result.divergences == 0


@pytest.mark.slow
@pytest.mark.parametrize("dense_mass", [True, False])
@pytest.mark.parametrize("max_tree_depth", [1, 3])
def test_settings_are_heeded(dense_mass: bool, max_tree_depth: int):
    result = run(
        dense_mass=dense_mass, max_tree_depth=max_tree_depth, target_accept=0.95
    )
    assert result.stats["n_steps"].max() == 2**max_tree_depth - 1
    assert result.stats["acceptance_rate"].mean() == pytest.approx(0.95, abs=0.04)


class Funnel(anb.Analysis):
    """Neal's funnel (2003, Annals of Statistics 31, 705, section 8)."""

    def log_likelihood_function(self, instance):
        width = jnp.exp(instance.v / 2)
        return jnp.sum(dist.Normal(0.0, width).log_prob(instance.x))


@pytest.mark.slow
def test_a_funnel_has_divergences_and_is_told():
    model = anb.Model(
        v=dist.Normal(0.0, 3.0), x=dist.Uniform(-200.0, 200.0).expand([9])
    )
    engine = anb.InferenceEngine(Funnel(), model, seed=1)
    result = engine.run(4, 1000, 500, "nuts", progress="none")
    assert result.divergences > 0
    assert result.divergences == result.stats["diverging"].sum()
    assert any("divergences" in line for line in result.verdict())


class OfScales(anb.Analysis):
    """A unit Gaussian about 1 in ``a``; in ``b`` one of its own scale, or none."""

    def __init__(self, weight: float, centre: float, scale: float):
        super().__init__()
        self.weight, self.centre, self.scale = weight, centre, scale

    def log_likelihood_function(self, instance):
        deviation = (instance.b - self.centre) / self.scale
        return -0.5 * ((instance.a - 1.0) ** 2 + self.weight * deviation**2)


@pytest.mark.parametrize(
    ("prior_scale", "weight", "scale"),
    [
        pytest.param(1e6, 0.0, 1.0, id="a wide prior"),
        pytest.param(1e-6, 0.0, 1.0, id="a narrow prior", marks=pytest.mark.slow),
        pytest.param(1.0, 1.0, 1e-6, id="precise data", marks=pytest.mark.slow),
    ],
)
def test_the_scale_of_one_parameter_does_not_hold_the_others(
    prior_scale: float, weight: float, scale: float
):
    # the posterior of a, whatever b is: mean 1/2, variance 1/2
    model = anb.Model(a=dist.Normal(0.0, 1.0), b=dist.Normal(0.0, prior_scale))
    analysis = OfScales(weight, 0.3 * prior_scale, scale)
    engine = anb.InferenceEngine(analysis, model, seed=1)
    result = engine.run(4, 1000, 1000, "nuts", progress="none")
    a, b = np.moveaxis(result.draws, -1, 0)
    assert result.verdict() == []
    assert a.mean() == pytest.approx(0.5, abs=0.07)
    assert a.std() == pytest.approx(0.5**0.5, abs=0.05)
    assert b.std() == pytest.approx(scale if weight else prior_scale, rel=0.1)
    # the warm-up too takes trajectories of usual lengths
    assert result.warmup_stats["n_steps"].mean() < 20


@pytest.fixture(scope="module")
def hmc_result() -> anb.Result:
    return run(anb.HMC)


def test_trajectories_are_drawn_about_their_mean_length(hmc_result: anb.Result):
    n_steps, step_size = (hmc_result.stats[name] for name in ("n_steps", "step_size"))
    length = math.pi / 2
    assert np.all(n_steps >= np.ceil(0.5 * length / step_size))
    assert np.all(n_steps <= np.ceil(1.5 * length / step_size))
    assert np.ptp(n_steps) > 0


def test_hmc_has_no_trees(hmc_result: anb.Result):
    assert "tree_depth" not in hmc_result.stats
    assert hmc_result.divergences == 0
    assert np.all(np.ptp(hmc_result.stats["step_size"], axis=0) == 0)


def test_a_whole_period_does_not_hold_a_chain_where_it_is():
    # a trajectory of one period would return to its start, were its length fixed
    summary = run(anb.HMC, trajectory_length=2 * math.pi).summary()
    assert np.all(summary["ess_bulk"] > 400)
    assert np.all(summary["r_hat"] < 1.02)


def test_a_trajectory_has_no_more_steps_than_it_may():
    result = run(anb.HMC, trajectory_length=1e6, max_steps=3, iterations=50)
    assert result.stats["n_steps"].max() == 3


@pytest.mark.parametrize("kind", [anb.NUTS, anb.HMC])
@pytest.mark.parametrize("target_accept", [0.0, 1.0, -1.0, 1.5, np.nan])
def test_a_target_that_cannot_be_is_refused(kind: type, target_accept: float):
    with pytest.raises(ValueError, match=r"between 0 and 1; got .*; 0\.8 is usual"):
        kind(target_accept=target_accept)


@pytest.mark.parametrize("length", [0.0, -1.0, np.inf, np.nan])
def test_a_length_that_cannot_be_is_refused(length: float):
    with pytest.raises(ValueError, match=r"trajectory_length above 0; got .*1\.57"):
        anb.HMC(trajectory_length=length)


def test_trajectories_without_a_step_are_refused():
    with pytest.raises(ValueError, match=r"max_steps of at least 1; got 0; 1024"):
        anb.HMC(max_steps=0)
    with pytest.raises(ValueError, match=r"max_tree_depth of at least 1; got 0; 10"):
        anb.NUTS(max_tree_depth=0)
