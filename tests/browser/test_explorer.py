"""Sliders over a fit, as a person at the page sees and moves them."""

import pytest
from interaction import flood, measure_latency
from jupyter_lab import write_notebook

SET_UP = """
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb


class Wave(anb.Analysis):
    def __init__(self, x, y, yerr):
        super().__init__()
        self.x, self.y, self.yerr = x, y, yerr

    def fit_from(self, instance):
        model = instance.amplitude * jnp.sin(self.x / instance.period) + instance.offset
        return anb.GaussianFit(data=self.y, noise=self.yerr, model=model)


x = np.linspace(0, 10, 1000)
y = 2 * np.sin(x) + 0.3 * np.random.default_rng(1).normal(size=1000)
model = anb.Model(
    amplitude=anb.Parameter(dist.Uniform(0, 5), unit="mJy"),
    period=anb.Parameter(dist.LogUniform(0.1, 10), unit="d"),
    offset=dist.Normal(0, 1),
)
analysis = Wave(x, y, np.full(1000, 0.3))
"""
EXPLORE = "explorer = anb.explore(analysis, model)\nexplorer"
CURVE = "float(explorer._panels.lines[0].get_ydata()[100])"
EXPECTED = (
    "float(analysis.fit_for_visualization(explorer.instance).model[np.argsort(x)[100]])"
)


@pytest.fixture(scope="module")
def explorer(lab, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "explorer.ipynb"
    page = lab.open(write_notebook(path, [SET_UP, (EXPLORE, "explorer")]))
    page.run_all()
    yield page
    page.check()
    page.close()


def test_each_free_parameter_has_a_slider_and_a_number_box(explorer):
    text = explorer.text("explorer")
    assert all(name in text for name in ("amplitude", "period", "offset"))
    assert "mJy" in text and "ln likelihood" in text and "χ²" in text
    assert explorer.outputs("explorer").locator("input").count() == 3


def test_a_moved_slider_redraws_the_model_at_its_value(explorer):
    slider, picture = explorer.slider("amplitude"), explorer.picture("explorer")
    before = picture.fingerprint()
    slider.focus()
    slider.press("ArrowRight", 20)
    explorer.wait_idle()
    assert picture.fingerprint() != before
    assert float(explorer.evaluate("explorer.vector[0].item()")) == pytest.approx(
        slider.value
    )
    assert float(explorer.evaluate(CURVE)) == pytest.approx(
        float(explorer.evaluate(EXPECTED))
    )


def test_a_logarithmic_prior_has_a_logarithmic_slider(explorer):
    slider = explorer.slider("period")
    slider.drag(0.75)
    explorer.wait_idle()
    period = float(explorer.evaluate("explorer.vector[1].item()"))
    assert period == pytest.approx(10**0.5, rel=0.1)  # three quarters of -1 to 1


def test_a_typed_number_is_kept_exactly_and_moves_the_slider(explorer):
    box = explorer.outputs("explorer").locator("input").nth(2)
    box.fill("0.123456789")
    box.press("Enter")
    explorer.wait_idle()
    assert float(explorer.evaluate("explorer.vector[2].item()")) == 0.123456789
    assert explorer.slider("offset").value == pytest.approx(0.123, abs=0.02)


def test_a_flood_of_moves_settles_on_the_last(explorer):
    slider, picture = explorer.slider("amplitude"), explorer.picture("explorer")
    flood(explorer, slider, moves=100, seconds=2)
    explorer.wait_idle(quiet=0.5)
    assert float(explorer.evaluate("explorer.vector[0].item()")) == pytest.approx(
        slider.value
    )
    settled = picture.fingerprint()
    explorer.execute("explorer._canvas.stale = True; explorer._render()")
    explorer.wait_idle()
    assert picture.fingerprint() == settled


def test_every_move_is_answered_by_a_picture(explorer):
    latencies = measure_latency(
        explorer, explorer.slider("amplitude"), explorer.picture("explorer"), moves=10
    )
    assert len(latencies) == 10


def test_a_likelihood_that_raises_is_told_in_the_panel(open_notebook):
    fail = "analysis.y = np.ones(7)\nexplorer.set(amplitude=1.0)"
    page = open_notebook([SET_UP, (EXPLORE, "explorer"), fail])
    page.run_all()
    assert page.cell_errors() == []
    assert "expected arrays of the data's shape" in page.text("explorer")
