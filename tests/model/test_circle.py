import json

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from ampynb.model.circle import (
    circular_mean,
    directions,
    in_one_piece,
    of_columns,
    shortest,
    unwrapped,
)
from ampynb.model.von_mises import von_mises_quantile
from ampynb.results.stored_table import StoredTable, describe_table

TURN = 2 * np.pi
UNIFORM = dist.Uniform(0.0, TURN)
MODEL = anb.Model(
    uniform=anb.Parameter(UNIFORM, period=TURN),
    von_mises=dist.VonMises(3.0, 2.0),
    line=dist.Normal(0.0, 1.0),
    vector=anb.Parameter(dist.Uniform(np.zeros(3), 365.25), unit="d", period=365.25),
    expanded=dist.VonMises(0.0, 1.0).expand([2]).to_event(1),
    normal=anb.Parameter(dist.Normal(350.0, 10.0).expand([2]), period=360),
    dependent=lambda m: dist.VonMises(m.line, 2.0),
    shifted=anb.Parameter(lambda m: dist.Uniform(m.line, m.line + 1), period=1.0),
    inner=anb.Collection(angle=anb.Parameter(dist.Cauchy(0, 1), period=24, unit="h")),
)
WRAPS = np.isfinite(MODEL.periods)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.asarray(MODEL.sample_prior(jax.random.key(0), 4))


@pytest.fixture(scope="module")
def moved(vectors) -> np.ndarray:
    turns = np.array([3, -2, 1, 0])[:, None]
    return vectors + turns * np.where(WRAPS, MODEL.periods, 0.0)


def test_periods_of_elements():
    expected = [TURN, TURN, np.inf, *3 * [365.25], TURN, TURN, 360, 360, TURN, 1, 24]
    np.testing.assert_allclose(MODEL.periods, expected)
    assert MODEL.wraps and not anb.Model(a=UNIFORM).wraps


def test_a_vector_wraps_into_the_support_and_stays_there_to_the_bit(vectors, moved):
    wrap = jax.jit(jax.vmap(MODEL.wrap))
    np.testing.assert_array_equal(wrap(vectors), vectors)
    np.testing.assert_allclose(wrap(moved), vectors, rtol=1e-12, atol=1e-11)
    edges = np.array([-1e-20, TURN, np.nextafter(TURN, 7), -TURN, 1e6 * TURN])
    model = anb.Model(a=anb.Parameter(UNIFORM, period=TURN))
    found = np.asarray(jax.vmap(model.wrap)(edges[:, None]))
    assert np.all((found >= 0) & (found <= TURN))
    assert np.isfinite(jax.vmap(model.log_prior)(edges[:, None])).all()


def test_what_a_period_tells_apart_is_one_and_the_same(vectors, moved):
    density = jax.vmap(MODEL.log_prior)
    np.testing.assert_allclose(density(moved), density(vectors), rtol=1e-10)
    for kind in (np.asarray, jax.numpy.asarray):
        at, same = (MODEL.instance_from_vector(kind(v[0])) for v in (vectors, moved))
        np.testing.assert_allclose(at.normal, same.normal)
        np.testing.assert_allclose(at.shifted, same.shifted)
        np.testing.assert_allclose(at.inner.angle, same.inner.angle, rtol=1e-10)
    assert isinstance(MODEL.instance_from_vector(moved[0]).vector, np.ndarray)


def test_z_is_the_phase_and_has_no_end(vectors, moved):
    z = jax.vmap(MODEL.unconstrain)(moved)
    back = jax.jit(jax.vmap(MODEL.constrain))
    np.testing.assert_allclose(back(z), vectors, rtol=1e-10, atol=1e-10)
    turned = z + TURN * WRAPS
    np.testing.assert_allclose(back(turned), vectors, rtol=1e-10, atol=1e-10)
    _, exact = np.linalg.slogdet(jax.jacfwd(MODEL.constrain)(z[0]))
    np.testing.assert_allclose(MODEL.log_jacobian(z[0]), exact)


@pytest.mark.slow
def test_ends_of_the_unit_cube_are_one_point():
    names = ("shifted", "inner.angle", "dependent", "vector", "uniform")
    of_names = [i for i, n in enumerate(MODEL.names) if n.split("[")[0] in names]
    at_ends = []
    for u in (1e-13, 1 - 1e-13):
        cube = np.full(MODEL.ndim, 0.3)
        cube[of_names] = u
        at_ends.append(np.asarray(MODEL.prior_transform(cube)))
    apart = shortest(at_ends[1] - at_ends[0], MODEL.periods)
    np.testing.assert_allclose(apart / np.where(WRAPS, MODEL.periods, 1), 0, atol=1e-6)


@pytest.mark.parametrize("concentration", [1e-3, 1.0, 30.0, 1e6])
def test_quantiles_of_von_mises(concentration):
    p = np.array([1e-6, 1e-3, 0.05, 0.3, 0.5, 0.7, 0.95, 1 - 1e-6])
    given = 0.0, concentration, p
    found = np.asarray(von_mises_quantile(*map(jnp.asarray, given)))
    exact = stats.vonmises(concentration)
    np.testing.assert_allclose(exact.cdf(found), p, atol=1e-8)


def test_prior_medians_and_intervals_are_in_one_piece():
    model = anb.Model(a=dist.VonMises(4.0, 100.0))
    low, high = model.prior_interval(0.68)[0]
    assert -np.pi < low < high < np.pi
    np.testing.assert_allclose((low + high) / 2, 4 - TURN)
    np.testing.assert_allclose(high - low, 0.2, rtol=0.01)


# The table


def test_the_table_shows_periods():
    for text in (repr(MODEL), MODEL._repr_html_()):
        assert "VonMises(loc=3, concentration=2), period 6.28319" in text
    assert repr(anb.Parameter(UNIFORM, period=TURN)) == (
        "Parameter(Uniform(low=0, high=6.28319), period=6.28319)"
    )


def test_a_stored_table_has_periods_and_one_without_them_opens():
    description = json.loads(json.dumps(describe_table(MODEL)))
    stored = StoredTable.from_description(description)
    np.testing.assert_array_equal(stored.periods, MODEL.periods)
    for line in description:
        del line["period"]
    assert not np.isfinite(StoredTable.from_description(description).periods).any()


def test_periods_stay_when_parameters_change():
    uniform, von_mises = anb.Parameter(UNIFORM, period=TURN), dist.VonMises(3.0, 2.0)
    model = anb.Model(uniform=uniform, von_mises=von_mises, line=dist.Normal(0, 1))
    assert model.fix(uniform=1.0).with_priors(uniform=UNIFORM).periods[0] == TURN
    np.testing.assert_allclose(
        model.with_priors(uniform=dist.Normal(1, 2)).bounds[0], [1 - np.pi, 1 + np.pi]
    )
    assert np.isinf(model.with_priors(uniform=dist.Uniform(0, 1)).periods[0])
    tied = model.tie(von_mises="uniform")
    assert tied.ndim == model.ndim - 1 and tied.periods[0] == TURN


@pytest.mark.parametrize(
    ("prior", "period", "message"),
    [
        (dist.Uniform(0, 6.2), TURN, "one period, 6.28319, wide; got Uniform"),
        (dist.HalfNormal(1.0), TURN, "on 0 to inf; make the support"),
        (dist.Gumbel(0.0, 1.0), TURN, "on -inf to inf; make the support"),
        (dist.VonMises(0, 1), 360, "expected the period 2 pi .* got 360; leave"),
        (UNIFORM, -1, "a period as one positive number; got -1; give"),
        (UNIFORM, np.nan, "a period as one positive number; got nan; give"),
        (UNIFORM, "360", "a period as one positive number; got '360'; give"),
        (UNIFORM, [TURN, 1.0], "a period as one positive number; got .*; give"),
        (1.0, True, "a period as one positive number; got True; give"),
    ],
)
def test_a_period_that_a_prior_cannot_have_is_refused(prior, period, message):
    with pytest.raises(ValueError, match=message):
        anb.Parameter(prior, period=period)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (lambda m: dist.Normal(m.a, 1), "on an interval of one period, 1; got"),
        (lambda m: dist.Uniform(m.a, m.a + 2), "one period, 1, wide; got .* 2 wide"),
        (lambda m: dist.Uniform(m.a, jnp.exp(m.a) + m.a), "wide; got .* which is 0.5"),
    ],
)
def test_a_dependent_prior_that_is_not_one_period_wide_is_refused(prior, message):
    with pytest.raises(ValueError, match=message):
        anb.Model(a=dist.Normal(0, 1), b=anb.Parameter(prior, period=1.0))


def test_a_dependent_prior_that_is_impossible_at_the_medians_may_have_a_period():
    prior = anb.Parameter(lambda m: dist.Uniform(0.0, m.a / m.a), period=1.0)
    assert anb.Model(a=dist.Normal(0, 1), b=prior).wraps


# Means


def test_values_over_the_seam_come_in_one_piece():
    periods = np.array([TURN, np.inf, 24.0])
    truth = np.random.default_rng(0).normal(0.05, 0.3, (2000, 3))
    values = np.where(np.isfinite(periods), truth % periods, truth)
    mean = circular_mean(values, periods)
    np.testing.assert_allclose(mean[[0, 2]], truth.mean(axis=0)[[0, 2]], atol=0.01)
    np.testing.assert_allclose(unwrapped(values, periods), truth, atol=1e-12)
    compiled = jax.jit(lambda values: unwrapped(values, periods))
    np.testing.assert_allclose(compiled(values), truth, atol=1e-12)


@pytest.mark.parametrize("centre", [0.05, 6.2, 3.0])
def test_draws_in_one_piece_lie_where_they_were(centre):
    deviation = np.random.default_rng(1).normal(0, 0.3, (500, 2, 1))
    values = (centre + deviation) % TURN
    whole = in_one_piece(values, np.array([TURN]))
    np.testing.assert_allclose(np.ptp(whole), np.ptp(deviation))
    assert 0 <= whole.mean() <= TURN
    np.testing.assert_allclose(np.exp(1j * whole), np.exp(1j * values))


def test_directions_do_not_know_where_the_circle_is_cut():
    periods = np.array([np.inf, TURN])
    values = np.random.default_rng(2).normal(3.0, 0.5, (300, 4, 2))
    cut = np.where(np.isfinite(periods), (values + 3.3) % TURN, values)
    found = directions(cut, periods)
    np.testing.assert_allclose(found, directions(values, periods), atol=1e-12)
    assert found.shape == (300, 4, 3)
    np.testing.assert_array_equal(found[..., 0], values[..., 0])
    numbers = np.array([5.0, 2.0, 1.0])
    np.testing.assert_array_equal(of_columns(numbers, periods, np.fmin), [5, 1])
    np.testing.assert_array_equal(of_columns(numbers, periods, np.fmax), [5, 2])
    assert directions(values, np.zeros(0)) is values
