import io

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
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)), dtype=int)


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
    fit = analysis.fit_for_visualization(explorer.instance)
    (line,) = explorer._panels.lines
    assert line.get_ydata() == pytest.approx(fit.model)
    assert np.any(pixels(explorer) != before)
    assert f"{float(fit.log_likelihood):.2f}" in explorer.readout.value
    assert f"{float(fit.chi_squared):.1f} / 28" in explorer.readout.value


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


def test_changed_data_are_seen_at_the_next_move(explorer, analysis):
    analysis.y = analysis.y + 1.0
    explorer.set(slope=2.0)
    fit = analysis.fit_for_visualization(explorer.instance)
    assert f"{float(fit.log_likelihood):.2f}" in explorer.readout.value


def test_an_error_in_the_forward_model_is_shown_and_mended(explorer, analysis):
    good = analysis.y
    analysis.y = np.ones(7)
    explorer.set(slope=2.0)
    assert "alert" in explorer.readout.value
    assert "expected arrays of the data" in explorer.readout.value
    analysis.y = good
    explorer.set(slope=1.0)
    assert "alert" not in explorer.readout.value


def test_a_numpy_likelihood_without_a_fit_shows_its_value(model):
    x = np.linspace(0.0, 2.0, 30)
    explorer = anb.explore(NumpyLine(x, x, np.full(30, 0.5)), model)
    log_likelihood = explorer.posterior.log_likelihood(explorer.vector)
    assert f"{log_likelihood:.2f}" in explorer.readout.value
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
    assert len(made) >= 8
    explorer.close()
    left = {type(_instances[key]).__name__ for key in made & set(_instances)}
    # Layouts and styles are closed by their widgets' garbage collection.
    assert all(name == "Layout" or name.endswith("Style") for name in left)
