"""Truncated priors against SciPy's, with bounds in the bulk and far in the tail."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb

INF = np.inf
Q = np.array([1e-9, 0.001, 0.1, 0.5, 0.8, 0.999, 1 - 1e-9])
EDGES = [
    (-1.0, 2.0),
    (0.5, INF),
    (-INF, 0.3),
    (-0.01, 0.01),
    (7.0, 9.0),
    (-9.0, -7.0),
    (8.0, INF),
    (-INF, -12.0),
    (40.0, 41.0),
    (-55.0, -40.0),
    (300.0, INF),
    (-30.0, 50.0),
]
LOC, SCALE = 0.3, 0.02
IDS = [f"{low:g} to {high:g}" for low, high in EDGES]


def truncated(base, edges):
    known = {n: LOC + SCALE * e for n, e in zip(("low", "high"), edges, strict=True)}
    finite = {name: edge for name, edge in known.items() if np.isfinite(edge)}
    return dist.TruncatedDistribution(base(LOC, SCALE), **finite)


def evaluated(base, values):
    """Evaluate the models of all edges, those of one kind in one compiled program."""

    def at_one(model, values):
        return {
            "quantiles": jax.vmap(model.prior_transform)(Q[:, None])[:, 0],
            "log density": jax.vmap(model.log_prior)(values[:, None]),
            "slope": jax.vmap(jax.grad(model.log_prior))(values[:, None])[:, 0],
            "draws": model.sample_prior(jax.random.key(1), 500)[:, 0],
            "there and back": jax.vmap(lambda x: model.constrain(model.unconstrain(x)))(
                values[:, None]
            )[:, 0],
        }

    found = {}
    for kind in {tuple(np.isfinite(edges)) for edges in EDGES}:
        places = [i for i, e in enumerate(EDGES) if tuple(np.isfinite(e)) == kind]
        models = [anb.Model(p=truncated(base, EDGES[i])) for i in places]
        stacked = jax.tree_util.tree_map(lambda *each: np.stack(each), *models)
        both = jax.jit(jax.vmap(at_one))(stacked, np.stack([values[i] for i in places]))
        for row, i in enumerate(places):
            found[i] = {name: np.asarray(each)[row] for name, each in both.items()}
    return [found[i] for i in range(len(EDGES))]


@functools.cache
def normal():
    frozen = [stats.truncnorm(*edges, loc=LOC, scale=SCALE) for edges in EDGES]
    values = [one.ppf(Q[1:-1]) for one in frozen]
    return frozen, values, evaluated(dist.Normal, values)


@pytest.mark.parametrize("place", range(len(EDGES)), ids=IDS)
def test_a_truncated_normal_is_that_of_scipy(place):
    frozen, values, found = (each[place] for each in normal())
    low, high = LOC + SCALE * np.array(EDGES[place])
    np.testing.assert_allclose(found["quantiles"], frozen.ppf(Q), rtol=1e-10)
    expected = frozen.logpdf(values)
    np.testing.assert_allclose(found["log density"], expected, rtol=1e-9, atol=1e-9)
    slope = (LOC - values) / SCALE**2
    np.testing.assert_allclose(found["slope"], slope, rtol=1e-9, atol=1e-9)
    assert np.all((found["draws"] >= low) & (found["draws"] <= high))
    assert stats.kstest(found["draws"], frozen.cdf).pvalue > 1e-3
    np.testing.assert_allclose(found["there and back"], values, rtol=1e-9)


FAMILIES = {
    "Cauchy": (dist.Cauchy, stats.cauchy()),
    "Laplace": (dist.Laplace, stats.laplace()),
    "Logistic": (dist.Logistic, stats.logistic()),
    "SoftLaplace": (dist.SoftLaplace, stats.hypsecant()),
}


def quantiles_in_units(frozen, low, high):
    """Return the truncated quantiles, from the survival function on the upper side."""
    if low > 0:
        return frozen.isf((1 - Q) * frozen.sf(low) + Q * frozen.sf(high))
    return frozen.ppf((1 - Q) * frozen.cdf(low) + Q * frozen.cdf(high))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_other_truncated_families_are_those_of_scipy(name):
    base, frozen = FAMILIES[name]
    z = [quantiles_in_units(frozen, *edges) for edges in EDGES]
    found = evaluated(base, [LOC + SCALE * one[1:-1] for one in z])
    for edges, units, one in zip(EDGES, z, found, strict=True):
        low, high = edges
        expected = LOC + SCALE * units
        np.testing.assert_allclose(one["quantiles"], expected, rtol=1e-6)
        sides = frozen.sf(low) - frozen.sf(high), frozen.cdf(high) - frozen.cdf(low)
        mass = sides[0] if low > 0 else sides[1]
        density = frozen.logpdf(units[1:-1]) - np.log(mass * SCALE)
        np.testing.assert_allclose(one["log density"], density, rtol=1e-8, atol=1e-8)
        assert np.all(np.isfinite(one["slope"]))
        drawn = (one["draws"] - LOC) / SCALE
        assert np.all((drawn >= low - 1e-9) & (drawn <= high + 1e-9))


@pytest.mark.slow
def test_truncated_parts_are_exact_wherever_they_are():
    def within(m):
        return dist.TruncatedNormal(m.mean, 0.1, low=2.0, high=3.0)

    vector = dist.TruncatedNormal(0.0, 0.1, low=np.array([-1.0, 2.0]), high=3.0)
    model = anb.Model(
        mean=dist.Normal(0.0, 1e-3),
        depends=within,
        vector=vector,
        event=vector.to_event(1),
        exponential=dist.TransformedDistribution(
            dist.TruncatedNormal(0.0, 0.1, low=2.0, high=3.0),
            dist.transforms.ExpTransform(dist.constraints.interval(2.0, 3.0)),
        ),
    )
    draws = np.asarray(model.sample_prior(jax.random.key(0), 200))
    low = [2.0, -1.0, 2.0, -1.0, 2.0, np.exp(2.0)]
    assert np.all(draws[:, 1:] >= np.array(low))
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(model.log_prior)))(draws)
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))
    frozen: Any = stats.truncnorm(20, 30, scale=0.1)
    expected = stats.norm.logpdf(0.0, 0.0, 1e-3) + frozen.logpdf(2.003)
    alone = anb.Model(mean=dist.Normal(0.0, 1e-3), depends=within)
    found = float(alone.log_prior(jnp.array([0.0, 2.003])))
    assert found == pytest.approx(expected, rel=1e-12)


class Hill(anb.Analysis):
    def log_likelihood_function(self, instance):
        return -0.5 * (instance.a - 1.0) ** 2


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [8, 40])
@pytest.mark.parametrize("sampler", ["nuts", "ensemble", "nested"])
def test_samplers_keep_within_the_tail(sampler, sigma):
    sd = 0.9 / sigma
    model = anb.Model(a=dist.TruncatedNormal(0.0, sd, low=0.9, high=1.2))
    x = np.linspace(0.9, 1.2, 400_001)
    weight = stats.truncnorm.pdf(x, 0.9 / sd, 1.2 / sd, scale=sd)
    weight = weight * np.exp(-0.5 * (x - 1.0) ** 2)
    mean = np.average(x, weights=weight)
    spread = np.sqrt(np.average((x - mean) ** 2, weights=weight))
    lengths = {"nuts": (4, 1000, 500), "ensemble": (16, 2000, 500)}
    engine = anb.InferenceEngine(Hill(), model, seed=1)
    if sampler == "nested":
        result = engine.run(nwalkers=200, sampler=sampler)
    else:
        nwalkers, iterations, burn = lengths[sampler]
        result = engine.run(nwalkers, iterations, burn, sampler=sampler)
    draws = result.points.values
    assert np.all((draws >= 0.9) & (draws <= 1.2))
    assert result.points.mean()[0] == pytest.approx(mean, abs=0.12 * spread)
    assert result.points.sd()[0] == pytest.approx(spread, rel=0.15)
