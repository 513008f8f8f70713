"""Eight schools (Rubin 1981), in both parametrisations, against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
HYPER = {"mean": dist.Normal(0.0, 5.0), "spread": dist.HalfCauchy(5.0)}


class Schools(anb.Analysis):
    """The effect of coaching in each school, with its standard error."""

    def __init__(self):
        super().__init__()
        self.effect, self.error = EFFECT, ERROR

    def fit_from(self, instance):
        return anb.GaussianFit(self.effect, self.error, instance.theta)


CENTRED = anb.Model(**HYPER, theta=lambda m: dist.Normal(m.mean, m.spread).expand([8]))
NONCENTRED = anb.Model(
    **HYPER,
    eta=dist.Normal(0.0, 1.0).expand([8]),
    theta=lambda m: m.mean + m.spread * m.eta,
)


def moments() -> tuple[np.ndarray, np.ndarray]:
    """Return posterior means and standard deviations of mean, spread and theta.

    Given the spread all is Gaussian (Gelman et al. 2013, Bayesian Data Analysis,
    section 5.4); the spread is summed over on a grid of its logarithm.
    """
    log_spread = np.linspace(-9.0, 7.0, 4001)[:, None]
    spread = np.exp(log_spread)
    weight = 1 / (spread**2 + ERROR**2)
    precision = weight.sum(1) + 5.0**-2
    mean = (weight @ EFFECT) / precision
    log_density = (
        0.5 * np.log(weight).sum(1)
        - 0.5 * (weight @ EFFECT**2)
        + 0.5 * precision * mean**2
        - 0.5 * np.log(precision)
        + stats.halfcauchy.logpdf(spread[:, 0], scale=5.0)
        + log_spread[:, 0]
    )
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    share = spread**2 * weight  # of its own datum in a school's mean
    theta = share * EFFECT + (1 - share) * mean[:, None]
    theta_variance = share * ERROR**2 + (1 - share) ** 2 / precision[:, None]
    given = np.column_stack([mean, spread[:, 0], theta])
    variance = np.column_stack([1 / precision, 0 * mean, theta_variance])
    first = density @ given
    return first, np.sqrt(density @ (variance + given**2) - first**2)


def test_the_centred_density_is_the_product_of_its_parts():
    rng = np.random.default_rng(0)
    posterior = anb.Posterior(Schools(), CENTRED)
    log_posterior = jax.jit(posterior.log_posterior)
    for _ in range(3):
        mean, spread, theta = rng.normal(0, 5), rng.gamma(2.0), rng.normal(5, 8, 8)
        expected = (
            stats.norm.logpdf(mean, 0.0, 5.0)
            + stats.halfcauchy.logpdf(spread, scale=5.0)
            + stats.norm.logpdf(theta, mean, spread).sum()
            + stats.norm.logpdf(EFFECT, theta, ERROR).sum()
        )
        vector = np.concatenate([[mean, spread], theta])
        assert float(log_posterior(vector)) == pytest.approx(float(expected))


def test_both_parametrisations_are_one_posterior():
    """They differ by the logarithm of d theta / d eta, which is the spread."""
    centred = anb.Posterior(Schools(), CENTRED)
    noncentred = anb.Posterior(Schools(), NONCENTRED)
    vector = np.array([3.0, 2.0, *np.linspace(-1.0, 1.5, 8)])
    theta = NONCENTRED.instance_from_vector(vector).theta
    other = np.concatenate([vector[:2], theta])
    difference = noncentred.log_posterior(vector) - centred.log_posterior(other)
    assert float(difference) == pytest.approx(8 * np.log(2.0))


@pytest.mark.slow
def test_sampling_it_gives_the_known_moments():
    engine = anb.InferenceEngine(Schools(), NONCENTRED, seed=2)
    sampler = anb.NUTS(nwalkers=4, burn=500, iterations=800, target_accept=0.9)
    result = engine.run(sampler=sampler, progress="none")
    draws = jnp.asarray(result.flat_draws)
    instances = jax.jit(jax.vmap(NONCENTRED.instance_from_vector))(draws)
    found = np.column_stack([instances.mean, instances.spread, instances.theta])
    mean, sd = moments()
    assert np.all(np.abs(found.mean(axis=0) - mean) < 0.12 * sd)
    np.testing.assert_allclose(found.std(axis=0), sd, rtol=0.15)
    assert result.divergences < 10
