import gc
import io
import weakref
from dataclasses import replace

import numpy as np
import numpyro.distributions as dist
import pytest
from ipywidgets import FloatLogSlider, FloatSlider
from ipywidgets.widgets.widget import _instances
from PIL import Image

import ampynb as anb
from tests.helpers import Line, NumpyLine


@pytest.fixture
def analysis():
    x = np.linspace(0.0, 2.0, 30)
    return Line(x, 1.5 * x - 0.5, np.full(30, 0.5))


@pytest.fixture
def model():
    return anb.Model(
        slope=anb.Parameter(dist.LogUniform(0.1, 10.0), unit="mJy/d"),
        intercept=dist.Normal(0.0, 1.0),
    )


@pytest.fixture
def explorer(analysis, model):
    explorer = anb.explore(analysis, model)
    yield explorer
    explorer.close()


def pixels(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer._board.picture())), dtype=int)


def test_controls_follow_the_parameter_table(explorer):
    assert list(explorer.controls) == ["slope", "intercept"]
    slope, intercept = explorer.controls.values()
    assert isinstance(slope.slider, FloatLogSlider)
    assert isinstance(intercept.slider, FloatSlider)
    assert (slope.slider.min, slope.slider.max) == (-1.0, 1.0)
    # The central 99 % of a standard normal.
    assert intercept.slider.max == pytest.approx(2.5758, abs=1e-3)


def test_it_begins_at_the_prior_medians_or_where_it_is_told(analysis, model, explorer):
    assert explorer.vector == pytest.approx([1.0, 0.0])
    start = anb.Instance(slope=2.0, intercept=-0.25)
    told = anb.explore(analysis, model, start=start)
    assert told.vector.tolist() == [2.0, -0.25]
    told.close()


def test_a_move_goes_through_fit_for_visualization(explorer, analysis):
    before = pixels(explorer)
    explorer.controls["slope"].slider.value = 3.0
    assert explorer.wait()
    fit = analysis.fit_for_visualization(explorer.instance)
    assert np.any(pixels(explorer) != before)
    (line,) = explorer._board.drawing.scene.panels.lines
    assert line.get_ydata() == pytest.approx(fit.model)
    assert explorer.numbers == {
        "ln likelihood": f"{float(fit.log_likelihood):.2f}",
        "ln prior": f"{float(explorer.model.log_prior(explorer.vector)):.2f}",
        "χ² / degrees of freedom": f"{float(fit.chi_squared):.1f} / 28",
    }
    assert explorer.widget.frame["values"] == [3.0, 0.0]


def test_coming_back_shows_the_same_picture(explorer):
    before = pixels(explorer)
    explorer.set(slope=3.0, intercept=1.0)
    assert np.any(pixels(explorer) != before)
    explorer.set(slope=1.0, intercept=0.0)
    assert np.max(np.abs(pixels(explorer) - before)) <= 2  # of 255


def test_the_instance_is_where_the_controls_are(explorer):
    explorer.set({"slope": 2.0}, intercept=0.5)
    assert explorer.instance.slope == 2.0
    assert explorer.instance.intercept == 0.5


def test_a_name_that_is_not_there_is_told_and_nothing_moves(explorer):
    with pytest.raises(ValueError, match="did you mean 'slope'"):
        explorer.set(intercept=1.0, slop=2.0)
    assert explorer.vector == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("value", [np.nan, np.inf, "steep", None])
def test_what_is_no_number_is_told_and_nothing_moves(explorer, value):
    with pytest.raises(ValueError, match="expected a finite number for 'slope'; got"):
        explorer.set(slope=value)
    assert explorer.vector == pytest.approx([1.0, 0.0])
    explorer.fix("intercept")  # and all goes on
    with pytest.raises(TypeError, match=r"expected a numpyro distribution .* got 3"):
        explorer.free("intercept", 3)


def test_it_starts_wherever_one_may_say(analysis, model):
    for start in ([2.0, 1.0], np.array([2.0, 1.0]), {"slope": 2.0, "intercept": 1.0}):
        explorer = anb.explore(analysis, model, start=start)
        assert explorer.vector == pytest.approx([2.0, 1.0])
        explorer.close()
    with pytest.raises(TypeError, match=r"expected a start as an instance .* got int"):
        anb.explore(analysis, model, start=3)
    with pytest.raises(ValueError, match=r"expected a start .* without intercept"):
        anb.explore(analysis, model, start={"slope": 2.0})
    with pytest.raises(ValueError, match=r"shape \(2,\), .* got shape \(1,\)"):
        anb.explore(analysis, model, start=[3.0])


def test_changed_data_are_seen_at_the_next_move(explorer, analysis):
    before = explorer.widget.background
    analysis.y = analysis.y + 1.0
    explorer.set(slope=2.0)
    fit = analysis.fit_for_visualization(explorer.instance)
    assert f"{float(fit.log_likelihood):.2f}" == explorer.numbers["ln likelihood"]
    assert explorer.widget.background["png"] != before["png"]


def test_missing_data_do_not_make_every_picture_a_new_one(model):
    x = np.linspace(0.0, 2.0, 30)
    y = np.where(x > 1.9, np.nan, 1.5 * x)

    class Masked(Line):
        def fit_from(self, instance):
            return replace(super().fit_from(instance), mask=self.x < 1.9)

    explorer = anb.explore(Masked(x, y, np.full(30, 0.5)), model)
    epoch = explorer.widget.scene["epoch"]
    explorer.set(slope=2.0)
    assert explorer.widget.scene["epoch"] == epoch
    assert explorer.numbers["χ² / degrees of freedom"].endswith(
        f"/ {np.sum(x < 1.9) - 2}"
    )
    explorer.close()


def test_an_error_in_the_forward_model_is_shown_and_mended(explorer, analysis):
    good = analysis.y
    analysis.y = np.ones(7)
    explorer.set(slope=2.0)
    assert "expected arrays of the data" in explorer.widget.alert
    analysis.y = good
    explorer.set(slope=1.0)
    assert explorer.widget.alert == ""


def test_a_numpy_likelihood_without_a_fit_shows_its_value(model):
    x = np.linspace(0.0, 2.0, 30)
    explorer = anb.explore(NumpyLine(x, x, np.full(30, 0.5)), model)
    log_likelihood = explorer.posterior.log_likelihood(explorer.vector)
    assert explorer.numbers["ln likelihood"] == f"{log_likelihood:.2f}"
    explorer.close()


def test_it_shows_itself_as_a_widget_as_html_and_as_text(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "data:image/png;base64," in bundle["text/html"]
    assert bundle["text/plain"] == "FitExplorer(slope=1, intercept=0)"


def test_closing_leaves_no_widget_behind(analysis, model):
    before = set(_instances)
    explorer = anb.explore(analysis, model)
    made = set(_instances) - before
    assert 8 <= len(made) <= 12
    explorer.close()
    assert made & set(_instances) == set()


def test_a_closed_one_still_says_where_it_is_and_holds_no_figure(analysis, model):
    explorer = anb.explore(analysis, model)
    scene = weakref.ref(explorer._board.drawing.scene)
    explorer.set(slope=2.0)
    explorer.close()
    explorer.close()
    assert explorer.instance.slope == 2.0
    explorer.set(slope=3.0)
    assert repr(explorer) == "FitExplorer(slope=3, intercept=0)"
    assert explorer._repr_mimebundle_() == {"text/plain": repr(explorer)}
    assert explorer.wait()
    gc.collect()
    assert scene() is None


def test_ten_parameters_take_few_models_in_the_page(analysis):
    ten = {f"extra_{i}": dist.Normal(0, 1) for i in range(8)}
    priors = {"slope": dist.Normal(0, 1), "intercept": dist.Normal(0, 1)}
    before = set(_instances)
    explorer = anb.explore(analysis, anb.Model(**priors, **ten))
    assert len(set(_instances) - before) <= 30
    explorer.close()


def test_one_that_nobody_holds_is_closed(analysis, model):
    before = set(_instances)
    explorer = anb.explore(analysis, model)
    explorer.set(slope=2.0)
    explorer.widget  # noqa: B018
    del explorer
    gc.collect()
    assert set(_instances) <= before


def test_a_page_that_says_it_waits_changes_nothing(explorer):
    explorer.set(slope=2.0)
    before = explorer.widget.frame
    explorer.widget._handle_custom_msg({"do": "wait"}, [])
    assert explorer.wait()
    assert explorer.widget.frame is before
    assert explorer.widget.alert == ""
    assert explorer.instance.slope == 2.0


def test_a_sweep_is_asked_for_in_a_message_and_sent(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(type(explorer.widget), "send", lambda *told: sent.append(told))
    explorer._board.drawing.seconds = 0.0  # a slow machine makes fewer frames
    explorer.widget._handle_custom_msg({"do": "sweep", "name": "slope"}, [])
    assert explorer.wait()
    (_, content, buffers), *backgrounds = sent
    assert content["name"] == "slope"
    assert (content["low"], content["high"]) == (-1.0, 1.0)
    assert content["values"] == [1.0, 0.0]
    frames = len(content["keys"])
    assert frames == len(content["numbers"]) == 201
    assert len(buffers[0]) == frames * 60 * 4  # model and residuals, float32
    assert [told["key"] for _, told, _ in backgrounds] == ["1:4", "1:10", "1:40"]
    assert set(content["keys"]) == {"1:4", "1:10", "1:40"}
    assert all(png.startswith(b"\x89PNG") for _, _, (png,) in backgrounds)
    # The frame at the present value is the picture that is shown.
    y = np.frombuffer(buffers[0], np.float32).reshape(frames, 60)
    assert y[100].tobytes() == explorer.widget.frame["y"]
    assert content["numbers"][100] == explorer.widget.frame["numbers"]


def test_a_page_of_another_size_and_theme_gets_a_picture_of_its_own(explorer):
    page = {"do": "page", "width": 400, "ratio": 2.0, "dark": True}
    explorer.widget._handle_custom_msg(page, [])
    assert explorer.wait()
    assert explorer.widget.scene["width"] == 400
    png = Image.open(io.BytesIO(explorer.widget.background["png"]))
    assert png.size == (800, 2 * explorer.widget.scene["height"])
    assert np.median(pixels(explorer)) < 40  # dark ground


def test_every_parameter_is_shown_the_fixed_and_the_tied_ones_still(analysis):
    group = anb.Collection(
        a=dist.Normal(0, 1),
        weights=dist.Normal(0, 1).expand([2]).to_event(1),
        b=2.0,
    )
    model = anb.Model(
        slope=dist.Normal(0, 1), intercept=dist.Normal(0, 1), nest=group
    ).tie({"nest.a": "slope"})
    explorer = anb.explore(analysis, model)
    entries = [
        (entry["name"], entry["group"], "slider" in entry)
        for entry in explorer.widget.controls
    ]
    assert entries == [
        ("slope", "", True),
        ("intercept", "", True),
        ("nest.a", "nest", False),
        ("nest.weights[0]", "nest.weights", True),
        ("nest.weights[1]", "nest.weights", True),
        ("nest.b", "nest", True),
    ]
    assert explorer.widget.controls[2]["text"] == "nest.a = slope"
    assert explorer.controls["nest.b"].disabled
    assert not explorer.controls["slope"].disabled
    explorer.close()


def test_a_derived_parameter_is_told_and_has_no_slider(analysis):
    model = anb.Model(slope=dist.Normal(0, 1), intercept=lambda m: 2 * m.slope)
    explorer = anb.explore(analysis, model)
    told = explorer.widget.controls[1]
    assert "slider" not in told
    assert told["text"] == "intercept = 2 * m.slope"
    explorer.set(slope=1.5)
    assert explorer.instance.intercept == 3.0
    explorer.close()
