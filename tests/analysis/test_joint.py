"""Joint fits: sums of likelihoods, shared and own parameters, and populations."""

import dataclasses
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from ampynb.analysis.joint import fits_in
from ampynb.analysis.simulation import simulate
from ampynb.model.arrays import Bundle
from tests.helpers import Line, NumpyLine

NORMAL = dist.Normal(0.0, 1.0)
RADIO_X, XRAY_X = np.linspace(-1.0, 1.0, 12), np.linspace(0.0, 2.0, 7)
NOISES = {"radio": np.full(12, 0.3), "xray": np.full(7, 0.2)}
multivariate_normal: Any = stats.multivariate_normal


def data(x: np.ndarray, intercept: float, noise: np.ndarray, seed: int) -> np.ndarray:
    scatter = noise * np.random.default_rng(seed).normal(size=len(x))
    return 0.7 * x + intercept + scatter


RADIO_Y = data(RADIO_X, 0.5, NOISES["radio"], 0)
XRAY_Y = data(XRAY_X, -1.0, NOISES["xray"], 1)


def lines(kind: Any = Line, **options: Any) -> dict[str, Any]:
    return {
        "radio": kind(RADIO_X, RADIO_Y, NOISES["radio"], **options),
        "xray": kind(XRAY_X, XRAY_Y, NOISES["xray"], **options),
    }


def own(**priors: Any) -> anb.Model:
    return anb.Model(intercept=dist.Normal(0.0, 2.0), **priors)


def shared_slope() -> anb.Model:
    return anb.Model(slope=dist.Normal(0.0, 3.0), radio=own(), xray=own())


def weighted_least_squares() -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of the posterior of one slope and two intercepts.

    One linear model of both data sets, with the priors as further data.
    """
    design = np.zeros((19, 3))
    design[:, 0] = np.concatenate([RADIO_X, XRAY_X])
    design[:12, 1], design[12:, 2] = 1.0, 1.0
    noise = np.concatenate(list(NOISES.values()))
    scaled = design / noise[:, None]
    precision = scaled.T @ scaled + np.diag([3.0**-2, 2.0**-2, 2.0**-2])
    covariance = np.linalg.inv(precision)
    y = np.concatenate([RADIO_Y, XRAY_Y])
    return covariance @ (scaled.T @ (y / noise)), covariance


@pytest.mark.parametrize("kind", [Line, NumpyLine], ids=["JAX", "NumPy"])
def test_two_lines_with_a_shared_slope_are_one_least_squares_fit(kind):
    mean, covariance = weighted_least_squares()
    model = shared_slope()
    assert model.names == ["slope", "radio.intercept", "xray.intercept"]
    posterior = anb.Posterior(anb.JointAnalysis(**lines(kind)), model)
    offsets = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.1, 0], [0.1, -0.2, 0.3]])
    values = [float(posterior.log_posterior(mean + offset)) for offset in offsets]
    expected = multivariate_normal.logpdf(mean + offsets, mean, covariance)
    np.testing.assert_allclose(np.diff(values), np.diff(expected), rtol=1e-8)


def test_sharing_by_a_tie_is_the_same():
    tied = anb.Model(
        radio=own(slope=dist.Normal(0.0, 3.0)), xray=own(slope=NORMAL)
    ).tie({"xray.slope": "radio.slope"})
    joint = anb.JointAnalysis(**lines())
    assert tied.names == ["radio.intercept", "radio.slope", "xray.intercept"]
    found = anb.Posterior(joint, tied).log_posterior(np.array([0.4, 0.6, -0.9]))
    expected = anb.Posterior(joint, shared_slope()).log_posterior(
        np.array([0.6, 0.4, -0.9])
    )
    assert float(found) == pytest.approx(float(expected))


def test_a_model_without_components_is_shared_whole():
    joint = anb.JointAnalysis(**lines())
    model = anb.Model(slope=NORMAL, intercept=NORMAL)
    instance = model.instance_from_vector(np.array([0.5, 0.2]))
    alone = [line.log_likelihood_function(instance) for line in lines().values()]
    found = joint.log_likelihood_function(instance)
    assert float(found) == pytest.approx(float(sum(alone)))


class Straight:
    def __init__(self, slope, intercept):
        self.slope, self.intercept = slope, intercept


def test_each_analysis_may_have_a_component_of_a_class():
    part = anb.Model(Straight, slope=NORMAL, intercept=NORMAL)
    seen: list = []

    class Watching(Line):
        def fit_from(self, instance):
            seen.append(type(instance))
            return super().fit_from(instance)

    joint = anb.JointAnalysis(**lines(Watching))
    model = anb.Model(radio=part, xray=part)
    joint.fit_from(model.instance_from_vector(np.arange(4.0)))
    assert seen == [Straight, Straight]
    shared = anb.Model(radio=part, xray=part, c=NORMAL)
    with pytest.raises(ValueError, match=r"'radio' alone.*\(c\).*component Straight"):
        joint.fit_from(shared.instance_from_vector(np.arange(5.0)))


def test_analyses_by_position_meet_collections_by_position():
    joint = anb.JointAnalysis(*lines().values())
    model = anb.Model(anb.Collection(own(), own(), slope=dist.Normal(0.0, 3.0)))
    assert model.names == ["0.intercept", "1.intercept", "slope"]
    value = anb.Posterior(joint, model).log_posterior(np.array([0.4, -0.9, 0.6]))
    by_name = anb.Posterior(anb.JointAnalysis(**lines()), shared_slope())
    expected = by_name.log_posterior(np.array([0.6, 0.4, -0.9]))
    assert float(value) == pytest.approx(float(expected))


# The fit


def joint_fit() -> anb.JointFit:
    instance = shared_slope().instance_from_vector(np.array([0.6, 0.4, -0.9]))
    return anb.JointAnalysis(**lines()).fit_from(instance)


def test_a_joint_fit_has_the_fits_by_name_and_their_sums():
    fit = joint_fit()
    radio = anb.GaussianFit(RADIO_Y, NOISES["radio"], 0.6 * RADIO_X + 0.4)
    xray = anb.GaussianFit(XRAY_Y, NOISES["xray"], 0.6 * XRAY_X - 0.9)
    assert list(fit.fits) == ["radio", "xray"]
    np.testing.assert_allclose(fit["xray"].model, xray.model)
    for name in ("log_likelihood", "chi_squared"):
        expected = getattr(radio, name) + getattr(xray, name)
        assert float(getattr(fit, name)) == pytest.approx(float(expected))
    assert fit.log_likelihoods["radio"] == pytest.approx(radio.log_likelihood)
    assert fit.data["radio"] is fit["radio"].data
    assert fits_in(fit) == fit.fits
    assert fits_in(radio) == {"data": radio}
    assert repr(fit).startswith("JointFit(radio: GaussianFit(12 data")


def test_a_joint_fit_passes_through_jax():
    fit = joint_fit()
    again = jax.jit(lambda bundle: bundle)(Bundle(fit)).value()
    assert type(again) is anb.JointFit
    assert float(again.log_likelihood) == pytest.approx(float(fit.log_likelihood))
    joint, model = anb.JointAnalysis(**lines()), shared_slope()
    vectors = np.array([[0.6, 0.4, -0.9], [0.5, 0.0, 0.0]])
    shown = joint.fit_for_visualization(model.instance_from_vector(vectors[0]))
    np.testing.assert_allclose(shown["radio"].model, fit["radio"].model)
    batch = joint.fits_for_visualization(jax.vmap(model.instance_from_vector)(vectors))
    assert batch["radio"].model.shape == (2, 12)
    assert batch["xray"].model.shape == (2, 7)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_joint_fits_are_nested(use_jax):
    kind = Line if use_jax else NumpyFitLine
    inner = anb.JointAnalysis(**lines(kind))
    outer = anb.JointAnalysis(sky=inner, other=lines(kind)["radio"])
    model = anb.Model(sky=anb.Model(radio=own(), xray=own()), other=own(), slope=0.6)
    vector = np.array([0.4, -0.9, 0.1])
    fit = outer.fit_for_visualization(model.instance_from_vector(vector))
    assert list(fits_in(fit)) == ["sky.radio", "sky.xray", "other"]
    total = sum(float(one.log_likelihood) for one in fits_in(fit).values())
    assert float(fit.log_likelihood) == pytest.approx(total)
    posterior = anb.Posterior(outer, model)
    assert float(posterior.log_likelihood(vector)) == pytest.approx(total)


class NumpyFitLine(NumpyLine):
    """A line in NumPy with a forward evaluation; its likelihood is its own."""

    def fit_from(self, instance):
        model = instance.slope * self.x + instance.intercept
        return anb.GaussianFit(data=self.y, noise=self.yerr, model=model)


class Penalised(Line):
    """A likelihood that is not the fit's alone."""

    def log_likelihood_function(self, instance):
        return self.fit_from(instance).log_likelihood - 100.0


class Given(anb.Analysis):
    """A likelihood without a fit."""

    def log_likelihood_function(self, instance):
        return -0.5 * instance.slope**2


def test_what_is_summed_is_each_analysis_own_likelihood():
    line = lines()["radio"]
    joint = anb.JointAnalysis(
        line=Penalised(RADIO_X, RADIO_Y, NOISES["radio"]), prior=Given()
    )
    model = anb.Model(slope=NORMAL, intercept=NORMAL)
    instance = model.instance_from_vector(np.array([0.5, 0.2]))
    expected = float(line.log_likelihood_function(instance)) - 100.0 - 0.125
    assert float(joint.log_likelihood_function(instance)) == pytest.approx(expected)
    fit = joint.fit_from(instance)
    assert float(fit.log_likelihood) == pytest.approx(expected)
    assert list(fit.fits) == ["line"]
    assert joint.has_fit
    assert not anb.JointAnalysis(prior=Given()).has_fit


# Other data


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_simulated_data_take_the_place_of_each_analysis_own(use_jax):
    members = lines(Line if use_jax else NumpyFitLine)
    joint = anb.JointAnalysis(sky=anb.JointAnalysis(**members), prior=Given(use_jax))
    model = anb.Model(slope=0.6, sky=anb.Model(radio=own(), xray=own()))
    vectors = np.array([[0.4, -0.9], [1.0, 2.0]])
    keys = jax.random.split(jax.random.key(0), 2)
    for one in simulate(anb.Posterior(joint, model), vectors, keys):
        simulated: Any = one.posterior.analysis
        radio, xray = simulated.analyses["sky"].analyses.values()
        intercepts = one.vector
        expected = -0.5 * 0.6**2
        for line, x, noise, intercept in (
            (radio, RADIO_X, NOISES["radio"], intercepts[0]),
            (xray, XRAY_X, NOISES["xray"], intercepts[1]),
        ):
            scaled = (line.y - 0.6 * x - intercept) / noise
            assert np.abs(scaled).max() < 5.0
            expected += stats.norm.logpdf(scaled).sum() - np.log(noise).sum()
        assert one.log_likelihood == pytest.approx(expected)
    assert members["radio"].y is RADIO_Y


def test_data_that_cannot_be_simulated_are_told():
    class Limited(Line):
        def fit_from(self, instance):
            fit = super().fit_from(instance)
            return dataclasses.replace(fit, upper_limit=np.zeros(len(self.y), bool))

    class Bare(Line):
        def fit_from(self, instance):
            return Plain(self.y, 0.0)

    keys = jax.random.split(jax.random.key(0), 1)
    model = anb.Model(slope=NORMAL, intercept=NORMAL)
    for kind, error, words in (
        (Limited, ValueError, "Limited with upper_limit; write with_data"),
        (Bare, TypeError, "fits that all have predict.* got radio, xray without"),
    ):
        posterior = anb.Posterior(anb.JointAnalysis(**lines(kind)), model)
        with pytest.raises(error, match=words):
            simulate(posterior, np.zeros((1, 2)), keys)


@dataclasses.dataclass
class Plain:
    data: Any
    log_likelihood: Any


# Shared work


class SharedLine(Line):
    """A line whose model is handed to it."""

    def fit_from(self, instance, shared=None):
        model = shared * self.x + instance.intercept
        return anb.GaussianFit(self.y, self.yerr, model)


class SharedSlope(anb.JointAnalysis):
    calls = 0

    def shared_from(self, instance):
        type(self).calls += 1
        return 2.0 * instance.half


def test_shared_work_is_done_once_for_each_evaluation():
    members = lines(SharedLine)
    joint = SharedSlope(**members, plain=lines()["radio"])
    model = anb.Model(half=NORMAL, slope=NORMAL, radio=own(), xray=own(), plain=own())
    vector = np.array([0.3, 0.5, 0.4, -0.9, 0.4])
    instance = model.instance_from_vector(vector)
    expected = sum(
        float(
            Line(one.x, one.y, one.yerr).log_likelihood_function(
                anb.Instance(slope=slope, intercept=intercept)
            )
        )
        for one, slope, intercept in (
            (members["radio"], 0.6, 0.4),
            (members["xray"], 0.6, -0.9),
            (lines()["radio"], 0.5, 0.4),
        )
    )
    for evaluate in (joint.log_likelihood_function, joint.fit_from):
        SharedSlope.calls = 0
        found: Any = evaluate(instance)
        found = getattr(found, "log_likelihood", found)
        assert float(found) == pytest.approx(expected)
        assert SharedSlope.calls == 1


# Life as an analysis


def test_data_are_arguments_and_a_changed_setting_is_seen():
    traces = []

    @jax.jit
    def likelihood(posterior, vector):
        traces.append(repr(posterior))
        return posterior.log_likelihood(vector)

    joint = anb.JointAnalysis(**lines())
    vector = np.array([0.6, 0.4, -0.9])
    first = likelihood(anb.Posterior(joint, shared_slope()), vector)
    assert len(traces) == 1
    xray: Any = joint.analyses["xray"]
    xray.y = XRAY_Y + 1.0
    moved = likelihood(anb.Posterior(joint, shared_slope()), vector)
    assert len(traces) == 1
    assert float(moved) != float(first)
    other = anb.JointAnalysis(**lines())
    again = likelihood(anb.Posterior(other, shared_slope()), vector)
    assert float(again) == float(first)
    assert len(traces) == 1


def test_a_joint_analysis_pickles_and_prints():
    joint = anb.JointAnalysis(**lines())
    instance = shared_slope().instance_from_vector(np.array([0.6, 0.4, -0.9]))
    again = pickle.loads(pickle.dumps(joint))
    found = again.log_likelihood_function(instance)
    assert float(found) == float(joint.log_likelihood_function(instance))
    assert repr(joint) == (
        "JointAnalysis(radio: Line(x: 12, y: 12, yerr: 12; JAX), "
        "xray: Line(x: 7, y: 7, yerr: 7; JAX))"
    )
    assert "JointAnalysis" in joint._repr_html_()


def test_a_run_is_made_exported_and_drawn():
    mean, covariance = weighted_least_squares()
    engine = anb.InferenceEngine(anb.JointAnalysis(**lines()), shared_slope(), seed=1)
    result = engine.run(40, 400, burn=400, sampler="ensemble", progress="none")
    sd = np.sqrt(np.diag(covariance))
    draws = result.flat_draws
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 0.15 * sd)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.15 * sd.max() ** 2)
    idata: Any = result.idata
    for group in ("observed_data", "log_likelihood", "posterior_predictive"):
        assert {*idata[group].data_vars} == {"radio", "xray"}
    assert {*idata["constant_data"].data_vars} == {"radio_noise", "xray_noise"}
    pointwise = idata["log_likelihood"]
    assert pointwise["radio"].shape == (40, 400, 12)
    total = sum(pointwise[name].sum(axis=-1) for name in ("radio", "xray"))
    np.testing.assert_allclose(
        total, np.asarray(idata["sample_stats"]["total_log_likelihood"])
    )
    np.testing.assert_allclose(
        idata["posterior_predictive"]["xray"].mean(axis=(0, 1)),
        mean[0] * XRAY_X + mean[2],
        atol=0.1,
    )
    assert result._repr_html_()
    assert len(result.plot_fit(n=20).axes) == 4


BOTH = {"radio": lines()["radio"], "xray": lines(NumpyLine)["xray"]}
MISUSE = {
    "no analysis": (
        lambda: anb.JointAnalysis(),
        TypeError,
        "expected analyses .* got none",
    ),
    "something else": (
        lambda: anb.JointAnalysis(radio=RADIO_X),  # type: ignore[arg-type]
        TypeError,
        "expected an ampynb.Analysis for 'radio'; got ndarray; subclass",
    ),
    "JAX and NumPy": (
        lambda: anb.JointAnalysis(**BOTH),
        ValueError,
        "radio in JAX and xray in NumPy; construct all with use_jax=False",
    ),
    "a name that is shared and own": (
        lambda: anb.JointAnalysis(**lines()).instance_of(
            "radio", anb.Instance(slope=1.0, radio=anb.Instance(slope=2.0))
        ),
        ValueError,
        "parameters of 'radio' .* got both for slope; rename one",
    ),
}


@pytest.mark.parametrize(("misuse", "error", "words"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_told(misuse, error, words):
    with pytest.raises(error, match=words):
        misuse()


def test_a_missing_parameter_is_told_before_anything_is_compiled():
    joint = anb.JointAnalysis(**lines())
    model = anb.Model(slope=NORMAL, radio=own(), xry=own())
    engine = anb.InferenceEngine(joint, model)
    with pytest.raises(ValueError, match=r"expected one of the values slope, xry"):
        engine.run(8, 1, sampler="ensemble", progress="none")


def test_a_population_of_lines_has_the_known_posterior():
    """Slopes from a normal population of known width: all is linear and Gaussian."""
    width = 0.4
    model = anb.Model(
        mean=dist.Normal(0.0, 2.0),
        radio=anb.Model(slope=0.0, intercept=0.5),
        xray=anb.Model(slope=0.0, intercept=-1.0),
    ).with_priors(
        dict.fromkeys(
            ["radio.slope", "xray.slope"], lambda m: dist.Normal(m.mean, width)
        )
    )
    assert model.names == ["mean", "radio.slope", "xray.slope"]
    precision = np.zeros((3, 3))
    precision[0, 0] = 2.0**-2 + 2 * width**-2
    precision[0, 1:] = precision[1:, 0] = -(width**-2)
    pull = np.zeros(3)
    pairs = ((RADIO_X, RADIO_Y - 0.5, 0.3), (XRAY_X, XRAY_Y + 1.0, 0.2))
    for i, (x, y, noise) in enumerate(pairs, start=1):
        precision[i, i] = width**-2 + np.sum(x**2) / noise**2
        pull[i] = np.sum(x * y) / noise**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ pull
    posterior = anb.Posterior(anb.JointAnalysis(**lines()), model)
    points = mean + np.array([[0, 0, 0], [0.3, 0, 0], [0, 0.1, 0], [-0.2, 0.1, 0.2]])
    values = jax.jit(jax.vmap(posterior.log_posterior))(jnp.asarray(points))
    expected = multivariate_normal.logpdf(points, mean, covariance)
    np.testing.assert_allclose(np.diff(values), np.diff(expected), rtol=1e-8)
