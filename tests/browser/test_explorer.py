"""Sliders over a fit, as a person at the page sees and moves them."""

import base64
import io
import json
import re
from ast import literal_eval

import numpy as np
import pytest
from interaction import flood, measure_latency
from jupyter_lab import write_notebook
from PIL import Image

SET_UP = """
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb
from ampynb.widgets import drawing

drawing.MOST_SECONDS = np.inf  # a slow machine makes fewer frames


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
CURVE = "float(explorer._board.drawing.scene.panels.moving("
CURVE += "explorer._board.drawing.fit)[0][1][100])"
EXPECTED = (
    "float(analysis.fit_for_visualization(explorer.instance).model[np.argsort(x)[100]])"
)
SEEN = "explorer.widget.frame['values'] == list(explorer.point.elements.values())"


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
    assert explorer.outputs("explorer").locator("input[type=number]").count() == 3


def test_a_moved_slider_redraws_the_model_at_its_value(explorer):
    slider, picture = explorer.slider("amplitude"), explorer.picture("explorer")
    before = picture.fingerprint()
    slider.focus()
    slider.press("ArrowRight", 20)
    explorer.wait_drawn("explorer")
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
    explorer.wait_drawn("explorer")
    period = float(explorer.evaluate("explorer.vector[1].item()"))
    assert period == pytest.approx(10**0.5, rel=0.1)  # three quarters of -1 to 1


def test_a_typed_number_is_kept_exactly_and_moves_the_slider(explorer):
    box = explorer.outputs("explorer").get_by_label("value of offset")
    box.fill("0.123456789")
    box.press("Enter")
    explorer.wait_drawn("explorer")
    assert float(explorer.evaluate("explorer.vector[2].item()")) == 0.123456789
    assert explorer.slider("offset").value == pytest.approx(0.123, abs=0.02)


def test_a_flood_of_moves_settles_on_the_last(explorer):
    slider, picture = explorer.slider("amplitude"), explorer.picture("explorer")
    flood(explorer, slider, moves=200, seconds=2)
    explorer.wait_drawn("explorer")
    assert float(explorer.evaluate("explorer.vector[0].item()")) == pytest.approx(
        slider.value
    )
    assert explorer.evaluate(SEEN) == "True"
    settled = picture.fingerprint()
    slider.focus()
    for key in ("ArrowLeft", "ArrowRight"):
        slider.press(key)
        explorer.wait_drawn("explorer")
    assert picture.fingerprint() == settled


COUNT = """() => {
  window.counted = { waits: 0, frames: 0 };
  const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
  session.anyMessage.connect((_, { msg }) => {
    if (msg.content.data?.content?.do === 'wait') window.counted.waits += 1;
    if (msg.content.data?.state?.frame) window.counted.frames += 1;
  });
}"""


@pytest.mark.slow
def test_the_page_says_once_for_each_picture_that_it_waits(open_notebook):
    no_sweep = "type(explorer._board)._sweep = lambda self, name: None"
    page = open_notebook([SET_UP, (EXPLORE, "explorer"), no_sweep])
    page.run_all()
    page.page.evaluate(COUNT)
    slider = page.slider("period")
    measure_latency(page, slider, page.picture("explorer"), moves=8)
    page.wait_drawn("explorer")
    counted = page.page.evaluate("() => window.counted")
    assert 1 <= counted["waits"] <= counted["frames"], counted
    flood(page, slider, moves=100, seconds=1)
    page.wait_drawn("explorer")
    counted = page.page.evaluate("() => window.counted")
    assert counted["waits"] <= counted["frames"], counted
    page.check()


def canvas_of(page):
    """Return the pixels that the page shows, (height, width, 3), on white."""
    url = (
        page.outputs("explorer").locator("canvas").first.evaluate("c => c.toDataURL()")
    )
    return on_white(base64.b64decode(url.partition(",")[2]))


def on_white(png):
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(ground, image))[..., :3].astype(int)


def matplotlib_of(page):
    """Return the pixels that matplotlib draws for the same point, in the kernel."""
    code = "__import__('base64').b64encode(explorer._board.picture()).decode()"
    return on_white(base64.b64decode(page.evaluate(code).strip("'")))


def test_the_canvas_looks_as_matplotlib_draws_it(explorer):
    explorer.execute("explorer.set(amplitude=2.1, period=1.0, offset=0.0)")
    explorer.wait_idle()
    shown, drawn = canvas_of(explorer), matplotlib_of(explorer)
    assert shown.shape == drawn.shape
    differ = np.abs(shown - drawn)
    upper = 2 * len(shown) // 3
    assert differ[:upper].mean() < 0.3  # of 255: edges are smoothed a little otherwise
    assert differ[upper:].mean() < 6.0  # matplotlib puts markers on whole pixels


def test_the_picture_follows_while_the_kernel_is_busy(open_notebook):
    """No round trip is needed: the kernel cannot answer before the cell has ended."""
    busy = "import time\ntime.sleep(4)\nbusy = False"
    page = open_notebook([SET_UP, (EXPLORE, "explorer"), (busy, "busy")])
    for cell in (0, 1):
        page.run_cell(cell)
    slider, picture = page.slider("amplitude"), page.picture("explorer")
    slider.focus()
    page.wait_drawn("explorer")  # all pictures of the slider are made
    page.start_cell("busy")
    seen = [picture.fingerprint()]
    numbers = [page.text("explorer")]
    for _ in range(5):
        slider.press("ArrowRight")
        page.wait_painted()
        seen.append(picture.fingerprint())
        numbers.append(page.text("explorer"))
    assert len(set(seen)) == len(set(numbers)) == 6
    value = page.outputs("explorer").get_by_label("value of amplitude").input_value()
    assert float(value) == pytest.approx(slider.value)
    assert page.evaluate("'busy' in globals()", timeout=15) == "True"
    page.wait_drawn("explorer")
    # What the sweep showed last is what the kernel draws exactly.
    assert picture.fingerprint() == seen[-1]
    assert float(page.evaluate("explorer.vector[0].item()")) == pytest.approx(
        slider.value
    )
    page.check()


def test_every_move_is_answered_by_a_picture(explorer):
    latencies = measure_latency(
        explorer, explorer.slider("amplitude"), explorer.picture("explorer"), moves=10
    )
    assert len(latencies) == 10


@pytest.mark.slow
def test_the_saved_notebook_shows_the_last_state_without_a_kernel(open_notebook):
    import nbformat
    from nbconvert import HTMLExporter

    page = open_notebook([SET_UP, (EXPLORE, "explorer")])
    page.run_all()
    page.slider("amplitude").press("ArrowLeft", 20)
    page.wait_drawn("explorer")
    saved = nbformat.reads(json.dumps(page.save()), as_version=4)
    html, _ = HTMLExporter().from_notebook_node(saved)
    assert html.count("FitExplorer(amplitude=2, period=1, offset=0)") >= 1
    (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    drawn = page.evaluate("__import__('base64').b64encode(explorer._board.picture())")
    assert literal_eval(drawn).decode() == png
    # in the live page it is not in the way
    assert page.outputs("explorer").locator("img").locator("visible=true").count() == 0
    page.check()


@pytest.mark.slow
def test_a_likelihood_that_raises_is_told_in_the_panel(open_notebook):
    fail = "analysis.y = np.ones(7)\nexplorer.set(amplitude=1.0)"
    page = open_notebook([SET_UP, (EXPLORE, "explorer"), fail])
    page.run_all()
    assert page.cell_errors() == []
    assert "expected arrays of the data's shape" in page.text("explorer")
