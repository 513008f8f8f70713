"""The maximum of a posterior is where theory says."""

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.optimise import maximise
from tests.helpers import Line, line_problem


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_the_maximum_of_a_gaussian_posterior_is_its_mean(use_jax):
    problem = line_problem(use_jax)
    found = maximise(problem.posterior, [5.0, -3.0])
    assert found.converged
    width = np.sqrt(np.diag(problem.covariance))
    assert np.abs((found.vector - problem.mean) / width).max() < 1e-2
    assert found.log_density == pytest.approx(
        float(problem.posterior.log_posterior(found.vector))
    )


class Nothing(anb.Analysis):
    """Data that say nothing: the posterior is the prior."""

    def log_likelihood_function(self, instance):
        return 0.0 * instance.width


MODES = {
    # exp(mu - sigma^2), and not the median exp(mu) that unconstrained density has
    "log-normal": (dist.LogNormal(1.0, 0.5), 2.0, np.exp(0.75)),
    "gamma": (dist.Gamma(3.0, 2.0), 4.0, 1.0),  # (a - 1) / b
    "beta": (dist.Beta(2.0, 4.0), 0.7, 0.25),  # (a - 1) / (a + b - 2)
}


@pytest.mark.parametrize(("prior", "start", "mode"), MODES.values(), ids=MODES)
def test_the_maximum_is_that_of_the_density_in_model_units(prior, start, mode):
    posterior = anb.Posterior(Nothing(), anb.Model(width=prior))
    found = maximise(posterior, [start])
    assert found.vector[0] == pytest.approx(mode, rel=1e-3)


def test_parameters_of_very_different_scale_are_found():
    x = np.linspace(0.0, 1.0, 50)
    model = anb.Model(slope=dist.Normal(0, 1e6), intercept=dist.Normal(0, 1e-3))
    analysis = Line(x, 3e5 * x + 2e-3, np.full(50, 1e-4))
    found = maximise(anb.Posterior(analysis, model), [0.0, 0.0])
    assert found.vector[0] == pytest.approx(3e5, rel=1e-6)


def test_a_start_on_the_edge_of_a_prior_gets_away_from_it():
    x = np.linspace(0.0, 2.0, 30)
    model = anb.Model(slope=dist.Uniform(0, 5), intercept=dist.Normal(0, 1))
    posterior = anb.Posterior(Line(x, 1.5 * x, np.full(30, 0.1)), model)
    for edge in (0.0, 5.0):
        found = maximise(posterior, [edge, 0.0])
        assert found.vector[0] == pytest.approx(1.5, abs=0.01)


def test_each_step_is_told_and_can_be_the_last():
    problem = line_problem()
    seen = []

    def keep(vector):
        seen.append(vector)
        return False

    maximise(problem.posterior, [5.0, -3.0], on_step=keep)
    assert len(seen) > 2
    densities = [float(problem.posterior.log_posterior(vector)) for vector in seen]
    assert densities == sorted(densities)
    early = maximise(problem.posterior, [5.0, -3.0], on_step=lambda v: True)
    assert not early.converged
    assert np.array_equal(early.vector, seen[0])


def test_a_start_outside_the_prior_is_told():
    model = anb.Model(slope=dist.Uniform(0, 5), intercept=dist.Normal(0, 1))
    x = np.linspace(0.0, 2.0, 30)
    posterior = anb.Posterior(Line(x, x, np.ones(30)), model)
    with pytest.raises(ValueError, match="priors' bounds; got slope=7; move it inside"):
        maximise(posterior, [7.0, 0.0])
