"""What a joint fit's result says of each analysis: ``result["radio"]``."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from tests.helpers import Line
from tests.results.builders import result_of as built_result

X = np.linspace(-1.0, 1.0, 12)
NOISE = np.full(12, 0.3)


def line(intercept: float, seed: int) -> Line:
    scatter = NOISE * np.random.default_rng(seed).normal(size=12)
    return Line(X, 0.7 * X + intercept + scatter, NOISE)


class Likelihood(anb.Analysis):
    def log_likelihood_function(self, instance):
        return -0.5 * instance.slope**2


def own(**priors) -> anb.Model:
    return anb.Model(intercept=dist.Normal(0.0, 2.0), **priors)


def result_of(joint: anb.JointAnalysis, model: anb.Model) -> anb.Result:
    engine = anb.InferenceEngine(joint, model, seed=0)
    return engine.run(16, 60, burn=100, sampler="ensemble", progress="none")


@pytest.fixture(scope="module")
def result() -> anb.Result:
    sky = anb.JointAnalysis(radio=line(0.5, 0), xray=line(-1.0, 1))
    joint = anb.JointAnalysis(sky=sky, other=line(2.0, 2), prior=Likelihood())
    model = anb.Model(
        slope=dist.Normal(0.0, 3.0),
        sky=anb.Model(radio=own(), xray=own()),
        other=own(weights=dist.Normal(0.0, 1.0).expand([2])),
    ).tie({"sky.xray.intercept": "sky.radio.intercept"})
    return result_of(joint, model)


@pytest.fixture(scope="module")
def two() -> anb.Result:
    joint = anb.JointAnalysis(line(0.5, 0), line(-1.0, 1))
    model = anb.Model(anb.Collection(own(), own(), slope=dist.Normal(0.0, 3.0)))
    return result_of(joint, model)


class Doubled(Line):
    """A line with latent variables; in NumPy it has none where it falls."""

    LATENT_KEYS: ClassVar[dict] = {
        "twice": anb.Latent(unit="mJy"),
        "both": anb.Latent(label=r"\beta"),
    }

    def compute_latent_variables(self, parameters, model):
        instance = model.instance_from_vector(parameters)
        if not self.use_jax and instance.slope < 0:
            raise ValueError("it falls")
        xp = jnp if self.use_jax else np
        both = xp.stack([instance.slope, instance.intercept])
        return {"twice": 2 * instance.intercept, "both": both}


class Contrast(anb.JointAnalysis):
    def compute_latent_variables(self, parameters, model):
        return {"contrast": parameters[1] - parameters[2]}


@pytest.mark.parametrize("use_jax", [True, False], ids=["jax", "numpy"])
def test_latent_variables_of_the_analyses_are_those_of_the_whole(use_jax):
    members = {
        name: Doubled(X, X, NOISE, use_jax=use_jax) for name in ("radio", "xray")
    }
    silent = Line(X, X, NOISE, use_jax=use_jax)
    joint = Contrast(sky=anb.JointAnalysis(**members), silent=silent)
    model = anb.Model(
        slope=dist.Uniform(1.0, 2.0),
        sky=anb.Model(radio=own(), xray=own()),
        silent=own(),
    )
    position = np.random.default_rng(0).uniform(1, 2, size=(30, 4, 4))
    position[3, 1, 0] = -1.0
    whole = built_result(position, anb.Posterior(joint, model))
    latents = whole.latents
    names = ["contrast", "sky.radio.twice", "sky.radio.both", "sky.xray.twice"]
    assert list(latents) == [*names, "sky.xray.both"]
    defined = np.ones(position.shape[:2], bool)
    if not use_jax:
        defined[3, 1] = False
        assert any("failed at 1 of 120" in line for line in whole.verdict())
    contrast = position[..., 1] - position[..., 2]
    np.testing.assert_array_equal(latents["contrast"], contrast)
    for column, member in ((1, "radio"), (2, "xray")):
        seen = whole[f"sky.{member}"].latents
        assert list(seen) == ["twice", "both"]
        assert seen.samples.units == ["mJy", "", ""]
        for found in (seen["twice"], latents[f"sky.{member}.twice"]):
            np.testing.assert_array_equal(
                found[defined], 2 * position[..., column][defined]
            )
            assert np.isnan(found[~defined]).all()
        np.testing.assert_array_equal(
            seen["both"][defined], position[..., [0, column]][defined]
        )
        assert seen.instance().twice == 2 * whole.best.position[column]
        rows = whole[f"sky.{member}"].summary().index
        assert f"sky.{member}.both[1]" in rows and "contrast" not in rows
    assert set(latents) == set(whole.idata["latent"].data_vars)
    assert not whole["silent"].latents


def test_its_parameters_are_its_own_the_tied_and_the_shared(result, two):
    assert two[0].parameters == ["0.intercept", "slope"]
    assert two["1"].parameters == ["1.intercept", "slope"]
    assert result["sky"].parameters == ["slope", "sky.radio.intercept"]
    assert result["sky.xray"].parameters == ["slope", "sky.radio.intercept"]
    assert result["other"].parameters == [
        "slope",
        "other.intercept",
        "other.weights[0]",
        "other.weights[1]",
    ]
    assert result["prior"].parameters == ["slope"]


def test_log_likelihoods_of_the_factors_sum_to_the_joint_one(result, two):
    for one, names in ((two, (0, 1)), (result, ("sky", "other", "prior"))):
        total = sum(one[name].log_likelihood for name in names)
        assert total == pytest.approx(one.log_likelihood)
    parts = result["sky.radio"].log_likelihood + result["sky.xray"].log_likelihood
    assert parts == pytest.approx(result["sky"].log_likelihood)


def test_instances_and_fits_are_those_of_the_analysis_alone(two):
    for name in ("0", "1"):
        factor, best = two[name], two.instance
        assert factor.analysis is two.analysis.analyses[name]
        assert factor.instance.intercept == best[int(name)].intercept
        assert factor.instance.slope == best.slope
        alone = factor.analysis.fit_from(factor.instance)
        np.testing.assert_allclose(factor.fit.model, alone.model)
        assert factor.log_likelihood == pytest.approx(alone.log_likelihood)
        whole = two.draw_instances(3, seed=4)
        drawn = factor.draw_instances(3, seed=4)
        assert [one.intercept for one in drawn] == [
            one[int(name)].intercept for one in whole
        ]
        assert factor.median().slope == two.median().slope


def test_tables_and_pictures_show_its_parameters_alone(two):
    summary = two[1].summary()
    assert list(summary.index) == ["1.intercept", "slope"]
    expected = two.summary().loc["1.intercept", "mean"]
    assert summary.loc["1.intercept", "mean"] == expected
    assert "0.intercept" not in repr(two[1])
    assert "1.intercept" in two[1]._repr_html_()
    assert len(two[1].corner().axes) == 4
    assert len(two.plot_fit(n=5).axes) == 4
    upper = two[1].plot_fit(n=5).axes[0]
    points = upper.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, two[1].analysis.y)


def test_what_is_not_there_is_told(result, two):
    with pytest.raises(KeyError, match="one of the analyses 0, 1; got 'radio'"):
        two["radio"]
    with pytest.raises(KeyError, match=r"of an ampynb.JointAnalysis.*got 'deep'"):
        result["sky.radio.deep"]
    with pytest.raises(ValueError, match=r"with a fit; got 'prior'.*write fit_from"):
        print(result["prior"].fit)
    with pytest.raises(TypeError, match="not iterable"):
        list(two)
