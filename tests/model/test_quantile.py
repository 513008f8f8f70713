"""Quantiles of priors, by formula and by inversion, against SciPy's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions.transforms import AffineTransform, ExpTransform
from scipy import stats

import ampynb as anb
from ampynb.model.inversion import tails
from ampynb.model.quantile import has_quantile, quantile

U = np.array([1e-100, 1e-30, 1e-12, 1e-4, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-6])
PRIORS: dict[str, tuple[dist.Distribution, Any]] = {
    "beta": (dist.Beta(2.0, 3.0), stats.beta(2, 3)),
    "U-shaped beta": (dist.Beta(0.5, 0.4), stats.beta(0.5, 0.4)),
    "narrow beta": (dist.Beta(200.0, 3000.0), stats.beta(200, 3000)),
    "beta by its proportion": (dist.BetaProportion(0.3, 5.0), stats.beta(1.5, 3.5)),
    "gamma": (dist.Gamma(2.0, 3.0), stats.gamma(2, scale=1 / 3)),
    "steep gamma": (dist.Gamma(0.4, 3.0), stats.gamma(0.4, scale=1 / 3)),
    "narrow gamma": (dist.Gamma(1e5, 3.0), stats.gamma(1e5, scale=1 / 3)),
    "chi squared": (dist.Chi2(5.0), stats.chi2(5)),
    "inverse gamma": (dist.InverseGamma(3.0, 2.0), stats.invgamma(3, scale=2)),
    "Student-t": (dist.StudentT(4.0, 1.0, 2.0), stats.t(4, loc=1, scale=2)),
    "Student-t far off": (dist.StudentT(50.0, 1e6, 2.0), stats.t(50, 1e6, 2)),
    "nearly normal Student-t": (dist.StudentT(200.0, 1.0), stats.t(200, 1)),
    "Weibull": (dist.Weibull(2.0, 1.5), stats.weibull_min(1.5, scale=2)),
    "Kumaraswamy": (dist.Kumaraswamy(1.0, 3.0), stats.beta(1, 3)),
    "Levy": (dist.Levy(1.0, 2.0), stats.levy(1, 2)),
    "Gompertz": (dist.Gompertz(2.0, 1.0), stats.gompertz(2)),
    "exponential of Student-t": (
        dist.TransformedDistribution(
            dist.StudentT(200.0).expand([]), [AffineTransform(1.0, 0.5), ExpTransform()]
        ),
        None,
    ),
    "mirrored gamma": (
        dist.TransformedDistribution(dist.Gamma(2.0, 3.0), AffineTransform(0.0, -1.0)),
        None,
    ),
    "mixture": (
        dist.MixtureSameFamily(
            dist.Categorical(np.array([0.3, 0.7])),
            dist.Normal(np.array([-1.0, 4.0]), 1.0),
        ),
        None,
    ),
    "sine": (anb.Sine(0.2, 3.0), None),
    "cosine": (anb.Cosine(-1.0, 1.5), None),
    "split normal": (anb.SplitNormal(3.1, 0.2, 0.5), None),
}
# numpyro's distribution functions of the others lose the digits of small values.
PRECISE = [name for name in PRIORS if name not in ("Weibull", "Levy", "Kumaraswamy")]


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    @jax.jit
    def at_all():
        at = jax.vmap
        return {
            name: (
                q := at(lambda u, p=prior: quantile(p, u))(U),
                *(tails(prior, q) if name in PRECISE else ()),
            )
            for name, (prior, _) in PRIORS.items()
        }

    return jax.device_get(at_all())


@pytest.mark.parametrize("name", [name for name in PRIORS if PRIORS[name][1]])
def test_quantiles_are_scipy_s(name: str, found: dict):
    expected = PRIORS[name][1].ppf(U)
    np.testing.assert_allclose(found[name][0], expected, rtol=1e-10)


@pytest.mark.parametrize("name", PRECISE)
def test_the_probability_below_a_quantile_is_the_one_asked_for(name: str, found: dict):
    quantiles, below, above = found[name]
    # A quantile has a relative error of 1e-16; near an edge that is not 0 it is this
    # that counts, not the probability.
    prior: Any = PRIORS[name][0]
    density = np.exp(np.asarray(prior.log_prob(quantiles)))
    of_rounding = 4e-16 * np.abs(quantiles) * density
    assert np.all(np.abs(below - U) < 1e-9 * U + of_rounding)
    assert np.all(np.abs(above - (1 - U)) < 1e-9 * (1 - U) + of_rounding)


def test_a_folded_distribution_has_both_halves():
    prior = dist.FoldedDistribution(dist.StudentT(3.0))
    u = np.array([1e-3, 0.2, 0.9, 1 - 1e-6])
    expected = stats.t.ppf(0.5 + 0.5 * u, 3)
    np.testing.assert_allclose(quantile(prior, jnp.array(u)), expected, rtol=1e-8)


def test_vectors_are_inverted_element_by_element():
    scales = np.array([1.0, 2.0, 3.0])
    prior = dist.StudentT(4.0, 0.0, scales).expand([2, 3]).to_event(2)
    u = np.linspace(0.1, 0.9, 6).reshape(2, 3)
    expected = scales * stats.t.ppf(u, 4)
    np.testing.assert_allclose(quantile(prior, jnp.array(u)), expected, rtol=1e-10)


def test_a_prior_whose_numbers_are_traced_is_inverted():
    def of(concentration):
        return quantile(dist.Gamma(concentration, 1.0), jnp.asarray(0.3))

    found = jax.jit(jax.vmap(of))(np.array([0.5, 2.0, 40.0]))
    np.testing.assert_allclose(found, stats.gamma.ppf(0.3, [0.5, 2, 40]), rtol=1e-10)


def test_edges_are_quantiles_of_0_and_1():
    found = quantile(dist.Beta(2.0, 3.0), jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(found, [0.0, 1.0])


def test_what_has_no_distribution_function_has_no_quantile():
    joint = dist.MultivariateNormal(np.zeros(2), np.eye(2))
    assert has_quantile(dist.Beta(2.0, 3.0)) and not has_quantile(joint)
