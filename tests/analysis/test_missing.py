"""Masked data are left out, wherever the mask is; NaN is never passed over."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import ampynb as anb
from ampynb.analysis.check import check_likelihood

X = np.arange(1.0, 7.0)
DATA = np.array([3.0, 5.0, 1.0, 0.0, 4.0, 2.0])
NOISE = np.array([0.5, 1.0, 2.0, 0.7, 1.5, 0.9])
MODEL = np.array([2.0, 4.0, 2.5, 1.0, 3.0, 2.0])
OUT = np.array([False, True, False, True, False, False])
WRONG = np.where(OUT, 1e3, DATA)


def masked(values):
    return np.ma.masked_array(values, OUT)


def fit_of(kind, data, noise, model, **more):
    if kind is anb.PoissonFit:
        return kind(data, model, **more)
    return kind(data, noise, model, **more)


KINDS = [anb.GaussianFit, anb.PoissonFit, anb.StudentTFit]
HELD = {  # the same data left out, in each way
    "mask": lambda kind: fit_of(kind, WRONG, NOISE, MODEL, mask=~OUT),
    "masked data": lambda kind: fit_of(kind, masked(WRONG), NOISE, MODEL),
    "masked NaN": lambda kind: fit_of(
        kind, masked(np.where(OUT, np.nan, DATA)), NOISE, MODEL
    ),
    "masked noise": lambda kind: fit_of(kind, DATA, masked(NOISE), masked(MODEL)),
    "masked model": lambda kind: fit_of(kind, WRONG, NOISE, masked(MODEL)),
    "half of it each": lambda kind: fit_of(
        kind,
        np.ma.masked_array(WRONG, OUT & (X < 3)),
        NOISE,
        MODEL,
        mask=(~OUT | (X < 3)).tolist(),
    ),
    "masked mask": lambda kind: fit_of(
        kind, WRONG, NOISE, MODEL, mask=np.ma.masked_array(X > 0, OUT)
    ),
    "in JAX": lambda kind: fit_of(kind, masked(WRONG), NOISE, jnp.asarray(MODEL)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_masked_data_are_left_out(kind, held):
    fit, rest = held(kind), fit_of(kind, DATA[~OUT], NOISE[~OUT], MODEL[~OUT])
    for part in ("log_likelihood", "chi_squared"):
        assert float(getattr(fit, part)) == pytest.approx(float(getattr(rest, part)))
    pointwise = np.asarray(fit.pointwise_log_likelihood)
    assert np.sum(pointwise) == pytest.approx(float(fit.log_likelihood))
    np.testing.assert_allclose(pointwise[~OUT], rest.pointwise_log_likelihood)
    assert not pointwise[OUT].any()


MISSING = np.where(OUT, np.nan, DATA)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "hold", [np.asarray, pd.Series, list, lambda v: pd.Series(v).astype("Float64")]
)
def test_missing_data_are_refused(kind, hold):
    told = r"expected data without NaN.*; got 2 of 6 .*index 1; .*mask=~np.isnan"
    with pytest.raises(ValueError, match=told):
        fit_of(kind, hold(MISSING), NOISE, MODEL)


class Line(anb.Analysis):
    def __init__(self, x, y, noise, kind, mask=None, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.noise, self.kind = x, y, noise, kind
        self.mask = mask

    def fit_from(self, instance):
        model = instance.slope * self.x + 1.0
        return fit_of(self.kind, self.y, self.noise, model, mask=self.mask)


SLOPE = anb.Model(slope=dist.LogUniform(0.1, 10))


@jax.jit
@jax.value_and_grad
def _density(vector, posterior):
    return posterior.log_posterior(vector)


def density(*given, use_jax):
    posterior = anb.Posterior(Line(*given, use_jax=use_jax), SLOPE)
    check_likelihood(posterior)
    if use_jax:
        return _density(jnp.array([0.8]), posterior)
    return posterior.log_posterior(np.array([0.8]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use_jax", [True, False])
def test_masked_attributes_are_left_out(kind, use_jax):
    rest = density(X[~OUT], DATA[~OUT], NOISE[~OUT], kind, use_jax=use_jax)
    nan = masked(np.where(OUT, np.nan, X))
    for given in (
        (X, masked(MISSING), NOISE),
        (X, masked(WRONG), masked(NOISE)),
        (nan, masked(WRONG), NOISE),
        (nan, WRONG, NOISE),
        (X, MISSING, NOISE, kind, ~OUT),
        (X, MISSING, NOISE, kind, (~OUT).tolist()),
    ):
        given = given if len(given) > 3 else (*given, kind)
        found = density(*given, use_jax=use_jax)
        jax.tree_util.tree_map(np.testing.assert_allclose, found, rest)


@pytest.mark.parametrize("hold", [np.asarray, pd.Series, list])
@pytest.mark.parametrize("use_jax", [True, False])
def test_missing_data_of_an_analysis_are_refused(hold, use_jax):
    with pytest.raises(ValueError, match=r"data without NaN.*; got 2 of 6"):
        density(X, hold(MISSING), NOISE, anb.GaussianFit, use_jax=use_jax)


@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_data_at_all_are_refused(kind, use_jax):
    class Nothing(anb.Analysis):
        def __init__(self):
            super().__init__(use_jax=use_jax)
            self.data = DATA[DATA > 100.0]

        def fit_from(self, instance):
            return fit_of(kind, self.data, 1.0, instance.a * np.ones(0))

    model = anb.Model(a=dist.Normal(0.0, 1.0))
    with pytest.raises(ValueError, match=r"expected data; got none.*\(0,\)"):
        anb.InferenceEngine(Nothing(), model).run(progress="none")


NOTHING_USED = {
    "a mask": (DATA, np.zeros(6, bool)),
    "a list": (DATA, [False] * 6),
    "a masked array": (np.ma.masked_all(6), None),
    "both together": (masked(DATA), OUT),
}


@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("data", "mask"), NOTHING_USED.values(), ids=NOTHING_USED)
def test_data_that_are_all_masked_are_refused(data, mask, kind, use_jax):
    with pytest.raises(ValueError, match=r"data of which some are used; got 6 .* mask"):
        density(X, data, NOISE, kind, mask, use_jax=use_jax)


@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize(
    ("data", "told"),
    [
        (np.append(DATA[1:], -1.0), r"got -1, the first at index 5, and 1 of 6"),
        (DATA + 0.5, r"got 3\.5, the first at index 0, and 6 of 6"),
        (np.append(DATA[1:], np.inf), r"got inf, the first at index 5, and 1 of 6"),
    ],
)
def test_what_is_no_count_is_refused(data, told, use_jax):
    words = rf"expected data of a PoissonFit as .* whole numbers of 0 or more; {told}"
    with pytest.raises(ValueError, match=words):
        density(X, data, NOISE, anb.PoissonFit, use_jax=use_jax)
    out = np.where(data < 0, True, data != np.round(data)) | np.isinf(data)
    if not out.all():
        density(X, data, NOISE, anb.PoissonFit, ~out, use_jax=use_jax)


def test_counts_of_a_joint_analysis_are_refused_by_name():
    joint = anb.JointAnalysis(
        radio=Line(X, DATA, NOISE, anb.GaussianFit),
        xray=Line(X, DATA - 1.0, NOISE, anb.PoissonFit),
    )
    with pytest.raises(ValueError, match=r"the data of 'xray' of a PoissonFit .* -1"):
        check_likelihood(anb.Posterior(joint, SLOPE))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize("kind", [anb.GaussianFit, anb.StudentTFit])
@pytest.mark.parametrize(
    ("noise", "told"),
    [
        (-0.5, r"got -0\.5, the first at index 0, and 6 of 6"),
        (np.where(OUT, 0.0, NOISE), r"got 0, the first at index 1, and 2 of 6"),
    ],
)
def test_noise_that_is_not_positive_is_told_in_runs_and_explorers(
    noise, told, kind, use_jax
):
    analysis = Line(X, DATA, noise, kind, use_jax=use_jax)
    words = rf"expected noise as positive numbers; {told} .*; correct them, or leave"
    with pytest.raises(ValueError, match=words):
        anb.InferenceEngine(analysis, SLOPE).run(progress="none")
    explorer = anb.explore(analysis, SLOPE)
    assert re.search(words, explorer.widget.alert)
    explorer.close()
    if np.ndim(noise):
        explorer = anb.explore(Line(X, DATA, noise, kind, ~OUT, use_jax=use_jax), SLOPE)
        assert not explorer.widget.alert and explorer.numbers
        explorer.close()


def test_what_would_lose_a_mask_is_refused():
    class Exponential(Line):
        def fit_from(self, instance):
            return anb.GaussianFit(self.y, self.noise, jnp.exp(-self.x))

    analysis = Exponential(masked(X), DATA, NOISE, None)
    with pytest.raises(ValueError, match=r"MaskedValues"):
        check_likelihood(anb.Posterior(analysis, SLOPE))
