"""Prior densities and draws against SciPy's."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from tests.model.priors import ALL_SCALARS, COVARIANCE, MODELS, SCALAR, VECTOR

FRACTIONS = np.array([1e-4, 0.01, 0.2, 0.5, 0.9, 0.999])
COLUMN = {name: column for column, name in enumerate(SCALAR)}
N_DRAWS = 2000


def outside(name: str) -> np.ndarray:
    """Return values below and above the support, (4,); NaN where there are none."""
    low, high = SCALAR[name][1].support()
    values = np.array([low - 1.0, low - 1e-6, high + 1e-6, high + 1.0])
    return np.where(np.isfinite(values), values, np.nan)


@functools.cache
def densities() -> dict[str, dict[str, np.ndarray]]:
    """Evaluate every prior inside and outside its support, with gradients."""

    @jax.jit
    def at_all(models, inside, outside):
        with_slope = {
            name: jax.vmap(jax.value_and_grad(model.log_prior))(inside[name])
            for name, model in models.items()
        }
        return {
            name: {
                "inside": with_slope[name][0],
                "slope": with_slope[name][1],
                "outside": jax.vmap(model.log_prior)(outside[name]),
            }
            for name, model in models.items()
        }

    models = {name: MODELS[name] for name in SCALAR}
    inside = {name: SCALAR[name][1].ppf(FRACTIONS)[:, None] for name in SCALAR}
    beyond = {name: outside(name)[:, None] for name in SCALAR}
    return jax.device_get(at_all(models, inside, beyond))


@pytest.mark.parametrize("name", SCALAR)
def test_log_prior_is_the_normalised_density(name):
    frozen = SCALAR[name][1]
    expected = frozen.logpdf(frozen.ppf(FRACTIONS))
    found = densities()[name]["inside"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SCALAR)
def test_log_prior_is_minus_infinity_outside_and_at_nan(name):
    assert np.all(densities()[name]["outside"] == -np.inf)


@pytest.mark.parametrize("name", SCALAR)
def test_the_gradient_is_that_of_the_density(name):
    frozen = SCALAR[name][1]
    values = frozen.ppf(FRACTIONS)
    step = 1e-6 * (frozen.ppf(0.75) - frozen.ppf(0.25))
    step = np.minimum(step, 0.1 * np.abs(values - np.array(frozen.support())[:, None]))
    step = step.min(axis=0)
    rise = frozen.logpdf(values + step) - frozen.logpdf(values - step)
    slope = densities()[name]["slope"][:, 0]
    np.testing.assert_allclose(slope, rise / (2 * step), rtol=1e-4, atol=1e-4)


def test_one_parameter_outside_leaves_the_other_gradients_finite():
    inside = np.array([frozen.median() for _, frozen in SCALAR.values()])
    bounded = np.flatnonzero(np.isfinite(ALL_SCALARS.bounds[:, 0]))
    vectors = np.tile(inside, (len(bounded), 1))
    rows = np.arange(len(bounded))
    vectors[rows, bounded] = ALL_SCALARS.bounds[bounded, 0] - 0.5
    of_many = jax.jit(jax.vmap(jax.value_and_grad(ALL_SCALARS.log_prior)))
    values, slopes = of_many(vectors)
    assert np.all(values == -np.inf)
    assert np.all(np.isfinite(slopes))


def test_vectors_add_up():
    vector, model = np.array([0.2, 1.0, 5.0]), MODELS["expanded"]
    expected = stats.loguniform.logpdf(vector, 0.1, 10).sum()
    assert float(model.log_prior(vector)) == pytest.approx(expected)
    assert model.log_prior(np.array([0.2, 1.0, 11.0])) == -np.inf


def test_a_multivariate_normal_is_normalised():
    model, vector = MODELS["multivariate normal"], np.array([0.3, 0.2, 2.5])
    frozen: Any = stats.multivariate_normal
    expected = frozen.logpdf(vector, np.arange(3), COVARIANCE)
    assert float(model.log_prior(vector)) == pytest.approx(expected)
    assert model.log_prior(np.array([0.3, np.nan, 2.5])) == -np.inf


def test_fixed_and_tied_parameters_have_no_density():
    normal = dist.Normal(0.0, 1.0)
    model = anb.Model(a=normal, b=3.0, c=normal).tie(c="a")
    expected = stats.norm.logpdf(0.5)
    assert float(model.log_prior(np.array([0.5]))) == pytest.approx(expected)


def test_a_vector_in_single_precision_has_the_same_density():
    model = anb.Model(a=dist.Normal(0.0, 1.0), b=dist.LogUniform(0.1, 10.0))
    value = model.log_prior(jnp.array([0.5, 1.0], dtype=jnp.float32))
    expected = stats.norm.logpdf(0.5) + stats.loguniform.logpdf(1.0, 0.1, 10)
    assert float(value) == pytest.approx(expected, rel=1e-5)


@functools.cache
def draws() -> np.ndarray:
    return np.asarray(ALL_SCALARS.sample_prior(jax.random.key(3), N_DRAWS))


@pytest.mark.parametrize("name", SCALAR)
def test_draws_are_from_the_prior(name):
    drawn = draws()
    assert drawn.shape == (N_DRAWS, len(SCALAR))
    assert stats.kstest(drawn[:, COLUMN[name]], SCALAR[name][1].cdf).pvalue > 1e-3


def test_draws_of_different_parameters_are_independent():
    fractions = [SCALAR[name][1].cdf(draws()[:, COLUMN[name]]) for name in SCALAR]
    correlation = np.corrcoef(fractions) - np.eye(len(SCALAR))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(N_DRAWS)


def test_draws_of_vectors_have_the_moments_of_the_prior():
    model = anb.Model(a=dist.Normal(5.0, 1.0), p=VECTOR["multivariate normal"])
    drawn = np.asarray(model.sample_prior(jax.random.key(4), 4000))
    expected = np.zeros((4, 4))
    expected[0, 0], expected[1:, 1:] = 1.0, COVARIANCE
    np.testing.assert_allclose(drawn.mean(axis=0), [5.0, 0.0, 1.0, 2.0], atol=0.12)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.15)


def test_a_seed_gives_its_draws():
    model = anb.Model(a=dist.Normal(0.0, 1.0), b=dist.Normal(0.0, 1.0))
    first, again, other = (
        np.asarray(model.sample_prior(jax.random.key(seed), 5)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.any(first == other)
