"""Latent variables of a result: in step with its draws, in every table and plot."""

import html
import json
import warnings
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import ampynb as anb
from ampynb.analysis.latent import LatentError
from ampynb.results.inference_data import to_dataset
from ampynb.results.samples_summary import SamplesSummary
from tests.helpers import Line, NumpyLine
from tests.results.builders import (
    LINE,
    arviz,
    normal_draws,
    result_of,
    weighted_result,
)

DRAWS, WARMUP = normal_draws(200), normal_draws(15, seed=4) + 10.0
SLOPE, INTERCEPT = DRAWS[..., 0], DRAWS[..., 1]


class Derived(Line):
    """The twofold is normal with deviation 2; the root is NaN half the time."""

    LATENT_KEYS: ClassVar[Any] = {
        "line.twofold": anb.Latent(unit="mJy", label="F"),
        "root": anb.Latent(),
        "ends": anb.Latent(unit="mJy"),
    }

    def compute_latent_variables(self, parameters, model):
        instance = model.instance_from_vector(parameters)
        ends = jnp.stack([instance.intercept, instance.slope + instance.intercept])
        return 2.0 * instance.slope, jnp.sqrt(instance.slope), ends


class Smooth(Derived):
    LATENT_KEYS: ClassVar[Any] = ("line.twofold",)

    def compute_latent_variables(self, parameters, model):
        return {"line.twofold": 2.0 * parameters[0]}


class Broken(Line):
    LATENT_KEYS = ("root",)

    def compute_latent_variables(self, parameters, model):
        raise ArithmeticError("no root")


def posterior(kind: Any) -> anb.Posterior:
    line = LINE.analysis
    return anb.Posterior(kind(line.x, line.y, line.yerr), LINE.model)


def result(kind: Any, draws: np.ndarray = DRAWS, **options: Any) -> anb.Result:
    return result_of(draws, posterior(kind), **options)


RESULT = result(Derived, warmup=WARMUP)
WEIGHTED = weighted_result(posterior=posterior(Smooth))
EXPECTED = {
    "line.twofold": 2.0 * SLOPE,
    "root": np.sqrt(np.where(SLOPE < 0, np.nan, SLOPE)),
    "ends": np.stack([INTERCEPT, SLOPE + INTERCEPT], axis=-1),
}


def test_they_are_in_step_with_the_draws():
    assert list(RESULT.latents) == ["line.twofold", "root", "ends"]
    assert len(RESULT.latents) == 3
    for name, values in EXPECTED.items():
        np.testing.assert_allclose(RESULT.latents[name], values, rtol=1e-12)


def test_they_are_computed_when_they_are_asked_for_and_once():
    class Counted(NumpyLine):
        calls = 0

        def compute_latent_variables(self, parameters, model):
            Counted.calls += 1
            return {"twofold": 2 * parameters[0]}

    line = LINE.analysis
    problem = anb.Posterior(Counted(line.x, line.y, line.yerr), LINE.model)
    made = anb.Result(
        problem, RESULT.algorithm, RESULT.history, seed=0, seconds=1.0, reason="stopped"
    )
    for use in (made.corner, made.median, lambda: made.samples_summary):
        use()
    assert Counted.calls == 0
    for use in (lambda: made.latents["twofold"], made.summary, made.verdict):
        use()
    assert Counted.calls == DRAWS[..., 0].size


def test_the_table_has_a_row_for_each_marked():
    table = RESULT.summary()
    names = ["slope", "intercept", "line.twofold", "root", "ends[0]", "ends[1]"]
    assert table.index.tolist() == names
    assert table["kind"].tolist() == ["free"] * 2 + ["latent"] * 4
    assert table["unit"].tolist() == ["", "", "mJy", "", "mJy", "mJy"]
    twofold = table.loc["line.twofold"]
    for column in ("mean", "sd", "q05", "median", "q95", "mcse_mean"):
        assert twofold[column] == pytest.approx(2 * table.loc["slope", column])
    for column in ("r_hat", "ess_bulk", "ess_tail"):
        assert twofold[column] == pytest.approx(table.loc["slope", column])


def test_undefined_values_are_left_out_of_their_row_and_told():
    root, defined = RESULT.summary().loc["root"], SLOPE[SLOPE >= 0] ** 0.5
    assert root["mean"] == pytest.approx(defined.mean())
    assert root["median"] == pytest.approx(np.median(defined))
    assert np.isnan(root[["r_hat", "ess_bulk", "ess_tail"]].to_numpy(float)).all()
    undefined = int(np.sum(SLOPE < 0))
    told = f"latent variable root is NaN or infinite at {undefined} of 800 draws"
    for text in (*RESULT.verdict(), repr(RESULT), RESULT._repr_html_()):
        if "root" in text:
            assert told in text
    assert any(told in line for line in RESULT.verdict())
    assert RESULT.latents.samples.undefined["root"] == undefined
    assert result(Smooth, normal_draws(1000)).verdict() == []


def test_the_table_of_an_ensemble_has_them_too():
    table = result(Derived, independent=False).summary()
    ratio = table.loc["line.twofold", "tau"] / table.loc["slope", "tau"]
    assert ratio == pytest.approx(1.0)
    assert np.isnan(table.loc["root", "tau"])


def test_an_analysis_without_them_has_the_table_as_before():
    plain = result_of(DRAWS)
    assert "kind" not in plain.summary()
    assert dict(plain.latents) == {}
    assert repr(plain.latents) == plain.latents._repr_html_() == "no latent variables"


@pytest.mark.parametrize("made", [result(Smooth), WEIGHTED], ids=["equal", "weighted"])
def test_their_summary_is_twice_the_slope_s(made):
    latent = made.latents.summary.elements["line.twofold"]
    slope = made.samples_summary.elements["slope"]
    assert latent.best == pytest.approx(2 * slope.best)
    assert latent.median == pytest.approx(2 * slope.median)
    for sigma in (1, 2, 3):
        expected = tuple(2 * edge for edge in slope.interval(sigma))
        assert latent.interval(sigma) == pytest.approx(expected)
    assert made.latents.summary.log_likelihood == made.log_likelihood


def test_weighted_draws_have_weighted_latent_variables():
    latents = WEIGHTED.latents
    twofold = 2.0 * WEIGHTED.outcome.weighted["position"][:, :1]
    np.testing.assert_allclose(latents.points.values, twofold)
    weights = np.exp(WEIGHTED.outcome.weighted["log_weight"])
    np.testing.assert_allclose(np.asarray(latents.points.weights), weights)
    np.testing.assert_allclose(latents["line.twofold"], 2 * WEIGHTED.draws[..., 0])
    low, high = latents.summary.values_at_sigma(1)["line.twofold"]
    assert (low, high) == pytest.approx((-2.0, 2.0), abs=0.1)


def test_instances_are_nested():
    best, median = RESULT.latents.instance(), RESULT.latents.instance("median")
    assert best.line.twofold == pytest.approx(2 * RESULT.instance.slope)
    assert median.line.twofold == pytest.approx(2 * RESULT.median().slope)
    assert median.root == pytest.approx(np.median(SLOPE[SLOPE >= 0] ** 0.5))
    assert best.ends.shape == (2,)
    with pytest.raises(ValueError, match=r"expected at='best' or at='median'; got 'me"):
        RESULT.latents.instance("mean")


def test_the_analysis_own_way_to_compute_them_is_kept():
    """As in smaller batches, for a fit that takes much memory."""

    class Careful(Derived):
        sizes: ClassVar[list] = []

        def compute_latent_samples(self, samples, batch_size=None):
            self.sizes.append(samples.draws.shape[:-1])
            return super().compute_latent_samples(samples, batch_size=10)

    careful = result(Careful, warmup=WARMUP)
    careful.trace("line.twofold")
    careful.latents.instance()
    assert Careful.sizes == [(200, 4), (215, 4), (1,)]


def test_draws_by_name_show_what_they_are():
    columns = RESULT.columns(["slope", "root"])
    assert columns.position.shape == (200, 4, 2)
    assert RESULT.columns("slope").flat[:, 0].tolist() == SLOPE.ravel().tolist()
    for view in (repr(columns), columns._repr_html_()):
        assert "slope, root; 200 x 4 draws" in view
    assert "800 draws of 2 numbers" in RESULT.points._repr_html_()
    assert repr(WEIGHTED.points).endswith("weighted)")


# Plots


def test_a_corner_plot_shows_parameters_and_latent_variables():
    figure = RESULT.corner(["ends[1]", "slope", "line.twofold"])
    bottom = np.array(figure.axes).reshape(3, 3)[-1]
    labels = [axes.get_xlabel() for axes in bottom]
    assert labels == ["ends[1] [mJy]", "slope", "$F$ [mJy]"]
    title = figure.axes[-1].get_title()
    assert f"{np.median(2 * SLOPE):.2f}" in title


def test_a_corner_plot_leaves_out_draws_where_one_is_undefined():
    figure = RESULT.corner(["slope", "root"])
    low, _ = figure.axes[0].get_xlim()
    assert -0.2 < low < 0.05  # of the slopes those with a root


def test_a_corner_plot_of_nothing_defined_is_told():
    never = result(Derived, -np.abs(DRAWS))
    with pytest.raises(ValueError, match=r"expected draws at which root are finite"):
        never.corner("root")


def test_results_share_their_latent_variables():
    figure = anb.corner({"first": RESULT, "second": result(Smooth)}, "line.twofold")
    assert figure.axes[0].get_xlabel() == "$F$ [mJy]"
    with pytest.raises(ValueError, match=r"that all results have \(.*\); got root"):
        anb.corner({"first": RESULT, "second": result(Smooth)}, ["root"])


def test_a_trace_shows_them_from_the_burn_in_on():
    figure = RESULT.trace(["root", "line.twofold"])
    line = figure.axes[2].lines[0]
    expected = 2 * np.concatenate([WARMUP, DRAWS])[:, 0, 0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), expected)
    assert figure.axes[2].get_ylabel() == "$F$ [mJy]"
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"line\.twofold.*; got 'twofold'; did you"):
        RESULT.trace("twofold")


# ArviZ


def test_they_are_a_group_beside_the_posterior(tmp_path: Path):
    latent = to_dataset(RESULT.idata, "latent")
    slope = to_dataset(RESULT.idata, "posterior")["slope"]
    xr.testing.assert_allclose(latent["line.twofold"], 2 * slope)
    assert latent["ends"].dims == ("chain", "draw", "ends_dim_0")
    assert latent["line.twofold"].attrs == {"units": "mJy", "long_name": "F"}
    path = RESULT.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(path, group="latent", engine="h5netcdf") as read:
        xr.testing.assert_identical(read.load(), latent)
    summary = json.loads(latent.attrs["samples_summary"])
    assert SamplesSummary.from_dict(summary).median == pytest.approx(
        RESULT.latents.summary.median, nan_ok=True
    )


def test_arviz_extracts_and_sums_them_up():
    library = arviz()
    drawn = library.extract(RESULT.idata, group="latent")
    assert drawn["line.twofold"].size == 800
    table = library.summary(to_dataset(RESULT.idata, "latent")[["line.twofold"]])
    mean = float(np.asarray(table["mean"], dtype=float)[0])
    assert mean == pytest.approx(2 * SLOPE.mean(), abs=0.01)


def test_weighted_latent_variables_are_a_group_beside_the_weighted_draws():
    latent = to_dataset(WEIGHTED.idata, "weighted_latent")["line.twofold"]
    slope = to_dataset(WEIGHTED.idata, "weighted_posterior")["slope"]
    assert latent.dims == slope.dims == ("sample",)
    np.testing.assert_allclose(latent, 2 * slope)


def test_the_summary_is_an_attribute():
    text = RESULT.idata.attrs["samples_summary"]
    assert SamplesSummary.from_dict(json.loads(text)) == RESULT.samples_summary


# What goes wrong


def test_an_error_spoils_nothing_but_the_latent_variables():
    broken = result(Broken, normal_draws(1000))
    assert broken.summary().index.tolist() == ["slope", "intercept"]
    (line,) = broken.verdict()
    assert line.startswith("no latent variables: expected Broken.compute_latent")
    assert "root; got ArithmeticError: no root" in line
    assert line in repr(broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_dataset(broken.idata, "posterior").sizes["draw"] == 1000
    for use in (
        lambda: broken.latents,
        lambda: broken.corner(["root"]),
        lambda: broken.trace(["root"]),
    ):
        with pytest.raises(LatentError, match="no root"):
            use()


def test_without_draws_there_are_none():
    nothing = result(Derived, DRAWS[:0], reason="stopped")
    assert dict(nothing.latents) == {}
    assert "run it longer" in repr(nothing)


def test_without_model_and_analysis_it_is_told(tmp_path: Path):
    problem = posterior(Derived)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    saved = engine.run(4, 20, 10, path=tmp_path / "run", progress="none")
    alone = anb.open_run(tmp_path / "run")
    assert alone.summary().index.tolist() == ["slope", "intercept"]
    with pytest.raises(ValueError, match="expected the analysis and the model"):
        alone.latents  # noqa: B018
    assert alone.samples_summary == saved.samples_summary
    again = anb.open_run(tmp_path / "run", problem.analysis, problem.model)
    for name, values in saved.latents.items():
        assert np.array_equal(again.latents[name], values, equal_nan=True)


def test_latents_that_are_in_a_file_alone_are_told(tmp_path):
    path = RESULT.to_netcdf(tmp_path / "line.nc")
    alone = anb.load(path)
    names = list(RESULT.latents)
    assert alone.stored_latents == names
    told = f"latent variables ({', '.join(names)}) are in idata alone; for tables"
    for text in (repr(alone), html.unescape(alone._repr_html_())):
        assert told in text and "ampynb.load(path, analysis, model)" in text
    with pytest.raises(ValueError, match=r"for latent variables give analysis and mod"):
        alone.corner([names[0]])
    whole = anb.load(path, RESULT.analysis, RESULT.model)
    assert whole.stored_latents == RESULT.stored_latents == []
    assert "in idata alone" not in repr(whole)
    assert list(whole.latents) == names
