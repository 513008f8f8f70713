"""One fit's posterior as the next fit's priors."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.integrate import cumulative_trapezoid

import ampynb as anb
from ampynb.model.quantile import bounds, is_logarithmic, quantile
from tests.results.builders import LINE, normal_draws, result_of, weighted_result

# Each parameter's draws lie well inside its prior, apart from the last one's.
MODEL = anb.Model(
    slope=anb.Parameter(dist.Normal(0.0, 10.0), unit="mJy/d", label="m"),
    intercept=dist.Uniform(0.0, 10.0),
    flux=dist.LogUniform(1e-3, 1e3),
    age=dist.HalfNormal(5.0),
    shape=dist.LogNormal(0.0, 2.0),
    weights=dist.Uniform(-1.0, 1.0).expand([2]),
    redshift=0.1,
)
MODEL = MODEL.tie(redshift="slope").fix(redshift=0.1)
NORMAL = normal_draws(2000, ndim=7, seed=2)
CENTRES = np.array([3.0, 5.0, np.log(2.0), 2.0, 1.0, 0.0, 0.5])
WIDTHS = np.array([0.5, 0.3, 1.0, 0.2, 0.5, 0.1, 0.5])
DRAWS = CENTRES + WIDTHS * NORMAL
DRAWS[..., [2, 4]] = np.exp(DRAWS[..., [2, 4]])
DRAWS[..., 6] = np.clip(DRAWS[..., 6], -1.0, 1.0)
RESULT = result_of(DRAWS, anb.Posterior(LINE.analysis, MODEL))
FLAT = RESULT.flat_draws
CHAINED = {
    "projected": RESULT.projected_model,
    "centred": RESULT.model_centred,
    "relative": RESULT.model_centred_relative(3.0),
    "absolute": RESULT.model_centred_absolute(0.4),
    "bounded": RESULT.model_centred_max_lh_bounded(0.7),
}


@functools.cache
def drawn_from(kind: str) -> np.ndarray:
    """Return 50,000 draws from a chained model's priors."""
    return np.asarray(CHAINED[kind].sample_prior(jax.random.key(0), 50_000))


by_model = pytest.mark.parametrize("model", CHAINED.values(), ids=CHAINED)


@by_model
def test_names_units_and_labels_stay(model):
    assert model.names == MODEL.names
    assert model.units == MODEL.units
    assert model.labels == MODEL.labels
    assert [row.kind for row in model.rows] == [row.kind for row in MODEL.rows]
    assert model.instance_from_vector(FLAT[0]) == MODEL.instance_from_vector(FLAT[0])


@pytest.mark.parametrize("kind", ["projected", "centred", "bounded"])
def test_no_prior_reaches_beyond_the_former_support(kind):
    former, now = MODEL.bounds, CHAINED[kind].bounds
    slack = 1e-12 * np.abs(np.nan_to_num(former, posinf=0.0, neginf=0.0))
    assert np.all(now[:, 0] >= former[:, 0] - slack[:, 0])
    assert np.all(now[:, 1] <= former[:, 1] + slack[:, 1])
    drawn = drawn_from(kind)
    assert np.all(drawn >= former[:, 0] - slack[:, 0])
    assert np.all(drawn <= former[:, 1] + slack[:, 1])


@pytest.mark.parametrize("kind", ["projected", "centred", "bounded"])
@pytest.mark.parametrize(
    "name", ["slope", "intercept", "flux", "age", "shape", "weights"]
)
def test_density_quantile_and_draws_are_of_one_distribution(kind, name):
    """The fault to beat: a prior with one quantile and another density."""
    prior: Any = CHAINED[kind].prior_of(name)
    u = np.linspace(0.0005, 0.9995, 2000)
    columns = (len(u), *(1 for _ in prior.batch_shape))
    probability = jnp.asarray(u).reshape(columns) * jnp.ones(prior.batch_shape)
    x = np.asarray(quantile(prior, probability))
    density = np.exp(prior.log_prob(x))
    below = cumulative_trapezoid(density, x, axis=0, initial=0.0)
    expected = np.broadcast_to((u - u[0]).reshape(columns), x.shape)
    np.testing.assert_allclose(below, expected, atol=1e-3)
    (row,) = (row for row in MODEL.rows if row.name == name)
    drawn = drawn_from(kind)[:, None, row.span].reshape(-1, 1, *row.shape)
    some = [200, 1000, 1800]
    share = np.mean(drawn < x[some], axis=0)
    np.testing.assert_allclose(share, expected[some] + u[0], atol=0.01)


def test_a_projected_prior_has_the_posterior_s_moments():
    drawn, flat = drawn_from("projected").copy(), FLAT.copy()
    for values in (drawn, flat):
        values[:, [2, 4]] = np.log(values[:, [2, 4]])
    sd = flat.std(axis=0)
    np.testing.assert_allclose((drawn.mean(0) - flat.mean(0)) / sd, 0.0, atol=0.02)
    np.testing.assert_allclose(drawn.std(axis=0) / sd, 1.0, atol=0.02)


def test_logarithmic_priors_stay_logarithmic():
    for name in ("flux", "shape"):
        assert is_logarithmic(CHAINED["projected"].prior_of(name))
    assert not is_logarithmic(CHAINED["projected"].prior_of("age"))


def test_a_centred_prior_is_as_wide_as_the_posterior_s_errors():
    errors = RESULT.values_at_sigma(1)
    for factor, model in ((1.0, CHAINED["centred"]), (3.0, CHAINED["relative"])):
        for name in ("slope", "intercept", "flux", "age"):
            low, high = errors[name]
            prior = model.prior_of(name)
            base = getattr(prior, "base_dist", prior)
            assert float(base.scale) == pytest.approx(factor * (high - low) / 2)
            assert float(base.loc) == pytest.approx(RESULT.samples_summary.median[name])
    # Not that of the former prior: a posterior of 0.3 under a prior of width 10.
    scale = CHAINED["centred"].prior_of("intercept").base_dist.scale
    assert float(scale) == pytest.approx(0.3, rel=0.05)


def test_widths_may_be_given_in_model_units_and_by_name():
    prior = CHAINED["absolute"].prior_of("slope")
    assert float(prior.scale) == pytest.approx(0.4)  # type: ignore
    model = RESULT.model_centred_absolute({"weights": [0.1, 0.2], "slope": 2.0})
    base = model.prior_of("weights").base_dist  # type: ignore
    assert base.scale.tolist() == [0.1, 0.2]
    assert base.loc.tolist() == np.median(FLAT[:, 5:], axis=0).tolist()
    for name in ("intercept", "flux"):  # not named: as before
        assert _same(model.prior_of(name), MODEL.prior_of(name))


def _same(prior: dist.Distribution, other: dist.Distribution) -> bool:
    leaves = [jax.tree_util.tree_leaves(one) for one in (prior, other)]
    return type(prior) is type(other) and all(map(np.array_equal, *leaves))


def test_a_bounded_prior_is_uniform_around_the_best_draw():
    best = RESULT.best.position
    low, high = bounds(CHAINED["bounded"].prior_of("slope"))
    assert (low, high) == pytest.approx((best[0] - 0.7, best[0] + 0.7))
    model = RESULT.model_centred_max_lh_bounded({"intercept": 100.0})
    assert tuple(bounds(model.prior_of("intercept"))) == (0.0, 10.0)  # cut
    assert _same(model.prior_of("slope"), MODEL.prior_of("slope"))


def test_weighted_draws_give_weighted_widths():
    result = weighted_result()
    for model in (result.projected_model, result.model_centred):
        prior = model.prior_of("slope")
        assert float(prior.scale) == pytest.approx(1.0, abs=0.05)  # type: ignore
        assert float(prior.loc) == pytest.approx(0.0, abs=0.05)  # type: ignore


# Chains of fits


def updated(line: Any, mean: np.ndarray, sd: np.ndarray) -> tuple:
    """Return mean and deviation after data at x = -1 and 1, which keep apart."""
    precision = sd**-2 + np.sum(line.yerr**-2)
    told = [np.sum(factor * line.y / line.yerr**2) for factor in (line.x, 1.0)]
    return (mean / sd**2 + told) / precision, precision**-0.5


def test_a_second_fit_goes_on_where_the_first_ended():
    """Of independent parameters the posterior is that of all data at once."""
    x, yerr = np.array([-1.0, 1.0] * 10), np.full(20, 0.5)
    noise = yerr * np.random.default_rng(0).normal(size=(2, 20))
    first, second = (type(LINE.analysis)(x, 1.5 * x - 0.5 + one, yerr) for one in noise)
    mean, sd = updated(first, np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    draws = np.random.default_rng(1).normal(mean, sd, size=(5000, 4, 2))
    former = result_of(draws, anb.Posterior(first, LINE.model))
    engine = anb.InferenceEngine(second, former.projected_model, seed=2)
    chained = engine.run(16, 1500, 300, start=former, progress="none")
    mean, sd = updated(second, mean, sd)
    np.testing.assert_allclose((chained.flat_draws.mean(0) - mean) / sd, 0, atol=0.15)
    np.testing.assert_allclose(chained.flat_draws.std(0) / sd, 1.0, atol=0.1)


def test_the_next_model_may_free_and_fix_parameters():
    line = LINE.analysis
    draws = np.random.default_rng(3).normal(1.5, 0.1, size=(200, 4, 1))
    fewer = LINE.model.fix(intercept=-0.5)
    first = result_of(draws, anb.Posterior(line, fewer))
    freed = first.model_centred.with_priors(intercept=dist.Normal(0.0, 1.0))
    assert freed.names == ["slope", "intercept"]
    assert float(freed.prior_of("slope").scale) == pytest.approx(0.1, rel=0.1)  # type: ignore
    second = result_of(normal_draws(200), anb.Posterior(line, freed))
    fixed = second.model_centred.fix(slope=second.median().slope)
    assert fixed.names == ["intercept"]
    assert fixed.instance_from_vector(np.zeros(1)).slope == second.median().slope


def test_priors_that_depend_on_others_stay_and_so_does_all_else():
    model = anb.Model(
        slope=dist.Normal(0.0, 10.0),
        intercept=lambda m: dist.Normal(m.slope, 1.0),
        end=lambda m: 2 * m.slope + m.intercept,
    ).with_assertions(steep=lambda m: m.slope > -50)
    result = result_of(normal_draws(200), anb.Posterior(LINE.analysis, model))
    point = np.array([1.0, 2.5])
    for chained in (result.projected_model, result.model_centred_absolute(1.0)):
        assert float(chained.prior_of("slope").scale) == pytest.approx(1.0, abs=0.1)  # type: ignore
        assert chained.instance_from_vector(point).end == 4.5
        expected = chained.prior_of("slope").log_prob(1.0) - 0.5 * 1.5**2
        expected -= 0.5 * np.log(2 * np.pi)
        assert float(chained.log_prior(point)) == pytest.approx(float(expected))
        assert chained.log_prior(np.array([-60.0, 0.0])) == -np.inf
    with pytest.raises(ValueError, match=r"\(slope\); got 'intercept'"):
        result.model_centred_absolute({"intercept": 1.0})


def test_chained_models_are_sampled_and_compiled_as_others():
    model = CHAINED["projected"]

    @jax.jit
    def both_ways(model, vectors):
        z = jax.vmap(model.unconstrain)(vectors)
        return jax.vmap(model.constrain)(z), jax.vmap(model.log_prior)(vectors)

    again, density = both_ways(model, FLAT[:50])
    np.testing.assert_allclose(again[:, :6], FLAT[:50, :6], rtol=1e-9)
    assert np.isfinite(density).all()


# What cannot be


WRONG = {
    "negative": (lambda: RESULT.model_centred_absolute(-1.0), "expected a as a posit"),
    "zero": (lambda: RESULT.model_centred_relative(0.0), "expected r as a positive"),
    "not a number": (
        lambda: RESULT.model_centred_max_lh_bounded({"slope": np.nan}),
        "expected b as a positive number.*got nan for 'slope'",
    ),
    "a name that is none": (
        lambda: RESULT.model_centred_absolute({"slop": 1.0}),
        "got 'slop'; did you mean 'slope'",
    ),
    "a fixed parameter": (
        lambda: RESULT.model_centred_absolute({"redshift": 1.0}),
        "got 'redshift'",
    ),
}


@pytest.mark.parametrize(("use", "told"), WRONG.values(), ids=WRONG)
def test_widths_that_cannot_be_are_told(use, told):
    with pytest.raises(ValueError, match=told):
        use()


@pytest.mark.parametrize("use", ["projected_model", "model_centred"])
def test_draws_that_do_not_differ_are_told(use):
    draws = normal_draws(50)
    draws[..., 1] = 7.0
    with pytest.raises(ValueError, match=r"expected draws of 'intercept' that differ"):
        getattr(result_of(draws), use)


def test_a_prior_without_edges_or_line_is_told():
    ordered = dist.TransformedDistribution(
        dist.Normal(0.0, 1.0).expand([2]).to_event(1),
        dist.transforms.OrderedTransform(),
    )
    model = LINE.model.with_priors(slope=1.0)
    model = anb.Model(slope=dist.Normal(0.0, 1.0), intercept=0.0, pair=ordered)
    draws = np.sort(normal_draws(50, ndim=3), axis=-1)
    result = result_of(draws, anb.Posterior(LINE.analysis, model))
    with pytest.raises(ValueError, match=r"expected a prior on an interval .*'pair'"):
        result.projected_model  # noqa: B018


def test_without_draws_there_is_no_next_model():
    nothing = result_of(np.zeros((0, 4, 2)), reason="stopped")
    with pytest.raises(ValueError, match="run it longer"):
        nothing.model_centred  # noqa: B018
