"""Samples in the page: a click shows the fit of that draw, a slider the run again."""

import base64
import re
from ast import literal_eval

import pytest
from jupyter_lab import write_notebook
from test_explorer_views import COUNTS, DARK, until

pytestmark = pytest.mark.slow

SET_UP = """
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb
from ampynb.algorithms.scripted import Scripted


class Wave(anb.Analysis):
    def __init__(self, x, y, yerr):
        super().__init__()
        self.x, self.y, self.yerr = x, y, yerr

    def fit_from(self, instance):
        wave = instance.sine * jnp.sin(self.x) + instance.cosine * jnp.cos(self.x)
        return anb.GaussianFit(self.y, self.yerr, wave + instance.offset)

    def panel(self):
        return anb.Panel(x=self.x, xlabel="time [d]", ylabel="flux [mJy]")


x = np.linspace(0, 10, 60)
y = np.sin(x) + np.random.default_rng(1).normal(size=60)
model = anb.Model(
    sine=anb.Parameter(dist.Normal(0, 1), unit="mJy", label="A"),
    cosine=anb.Parameter(dist.Normal(0, 1), unit="mJy", label="B"),
    offset=anb.Parameter(dist.Normal(0, 1), unit="mJy"),
)
engine = anb.InferenceEngine(Wave(x, y, np.ones(60)), model, seed=1)
result = engine.run(16, 400, 200, sampler=Scripted(), progress="none")
"""
SHOW = "corner = result.corner(interactive=True)\ncorner"
WIDTH = "corner.widget.corner['width']"
REPLAY = "replay = result.replay()\nreplay"
# The model in the picture, as pixels, and what fit_for_visualization gives there.
SHOWN = '''
def curve_in_the_page(key=""):
    scene = corner._board.drawings[key].scene
    fit = engine.analysis.fit_for_visualization(corner.instance)
    expected = scene.frames(fit, batched=False).y.ravel()
    shown = np.frombuffer(corner.widget.frame["y"], "<f4")
    return float(np.abs(shown - expected).max())


def lonely(*columns):
    """The point that is farthest from all others in a panel, not at its edge."""
    samples = corner._board.samples[""]
    points = samples.columns_at(samples.shown)[:, columns]
    low, high = np.quantile(points, (0.01, 0.99), axis=0)
    inner = np.all((points > low) & (points < high), axis=1)
    scaled = points / np.ptp(points, axis=0)
    apart = np.hypot(*(scaled[:, None] - scaled).T)
    np.fill_diagonal(apart, np.inf)
    return int(np.argmax(np.where(inner, apart.min(axis=1), 0)))
'''


@pytest.fixture(scope="module")
def corner(lab, tmp_path_factory):
    path = tmp_path_factory.mktemp("corner") / "corner.ipynb"
    page = lab.open(
        write_notebook(
            path, [SET_UP + COUNTS, SHOWN, (SHOW, "corner"), (REPLAY, "replay")]
        )
    )
    page.run_all(timeout=120)
    page.page.set_viewport_size({"width": 1500, "height": 1100})
    until(lambda: is_drawn_for_its_width(page))
    page.wait_drawn("corner", "replay")
    yield page
    page.check()
    page.close()


def is_drawn_for_its_width(page):
    pane = page.outputs("corner").locator(".ampynb-pane").first
    width = pane.evaluate("pane => pane.clientWidth")
    asked = page.evaluate("corner._board.page.corner")
    return asked == str(width) and abs(width - float(page.evaluate(WIDTH))) < 2


def canvases(page):
    return page.outputs("corner").locator("canvas")


def place_of(page, plot, panel, values):
    """Return where in the window a value of a panel of a plot is shown."""
    layout = page.evaluate(
        f"[{{k: p[k] for k in ('x', 'y', 'box', 'xlim', 'ylim')}}"
        f" for p in corner.widget.{plot}['panels']], corner.widget.{plot}['width']"
    )
    panels, width = literal_eval(layout)
    found = next(one for one in panels if (one["x"], one["y"]) == panel)
    left, top, wide, high = found["box"]
    (x0, x1), (y0, y1) = found["xlim"], found["ylim"]
    x = left + (values[0] - x0) / (x1 - x0) * wide
    y = top + (1 - (values[1] - y0) / (y1 - y0)) * high
    canvas = canvases(page).nth({"corner": 0, "trace": 2}[plot])
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    scale = box["width"] / width
    return box["x"] + scale * x, box["y"] + scale * y


def sample(page, n):
    """Return the values of a sample that is drawn as a point, and its place."""
    one = "corner._board.samples['']"
    told = page.evaluate(
        f"({one}.shown[{n}].item(), {one}.columns_at({one}.shown[{n}]).tolist())"
    )
    return literal_eval(told)


@pytest.mark.parametrize(("plot", "panel"), [("corner", (0, 1)), ("trace", (3, 0))])
def test_a_click_on_a_sample_draws_the_fit_of_that_very_draw(
    corner, plot, panel, tmp_path
):
    index, values = sample(corner, int(corner.evaluate(f"lonely(*{panel})")))
    corner.page.mouse.click(
        *place_of(corner, plot, panel, [values[column] for column in panel])
    )
    corner.wait_drawn("corner")
    assert corner.evaluate("corner.chosen") == f"('', {index})"
    assert float(corner.evaluate("curve_in_the_page()")) < 1e-3  # px
    amplitude = corner.evaluate("f'{result.flat_draws[corner.chosen[1]][0]:.5g} mJy'")
    assert literal_eval(amplitude) in corner.text("corner")
    assert f"step {index // 16 + 1}, walker {index % 16 + 1}" in corner.text("corner")
    corner.screenshot(tmp_path / f"{plot}.png", cell="corner")


def test_the_pointer_shows_a_fit_and_gives_it_back(corner):
    fit = corner.picture("corner", 1)
    before, chosen = fit.fingerprint(), corner.evaluate("corner.chosen")
    _, values = sample(corner, 100)
    corner.page.mouse.move(*place_of(corner, "corner", (0, 2), [values[0], values[2]]))
    until(lambda: fit.fingerprint() != before)
    corner.page.mouse.move(5, 5)
    until(lambda: fit.fingerprint() == before)
    assert corner.evaluate("corner.chosen") == chosen


def test_a_rectangle_draws_the_fits_inside_and_says_how_many(corner, tmp_path):
    low, high = literal_eval(
        corner.evaluate("np.quantile(result.flat_draws, (0.3, 0.7), axis=0).tolist()")
    )
    begin = place_of(corner, "corner", (0, 1), low[:2])
    end = place_of(corner, "corner", (0, 1), high[:2])
    mouse = corner.page.mouse
    mouse.move(*begin)
    mouse.down()
    mouse.move(*end, steps=5)
    mouse.up()
    until(lambda: corner.evaluate("corner.region is not None") == "True")
    corner.wait_drawn("corner")
    (told,) = re.findall(r"(\d+) of 6400 draws inside", corner.text("corner"))
    count = f"np.all((d >= {low[:2]}) & (d <= {high[:2]}), axis=1).sum().item()"
    inside = int(corner.evaluate(f"(lambda d: {count})(result.flat_draws[:, :2])"))
    assert int(told) == pytest.approx(inside, rel=0.1)  # to a pixel
    assert int(corner.evaluate("corner.widget.fits['n']")) == min(int(told), 50)
    corner.screenshot(tmp_path / "region.png", cell="corner")
    before = corner.evaluate("corner.chosen")
    corner.page.keyboard.press("ArrowRight")
    until(lambda: corner.evaluate("corner.chosen") != before)
    corner.page.keyboard.press("Escape")
    until(lambda: corner.evaluate("corner.region is None") == "True")


def test_parameters_are_chosen_and_the_plot_is_saved(corner, tmp_path):
    before = corner.picture("corner").fingerprint()
    corner.outputs("corner").get_by_label("cosine", exact=True).uncheck()
    until(lambda: corner.evaluate("corner.parameters") == "['sine', 'offset']")
    until(lambda: corner.picture("corner").fingerprint() != before)
    with corner.page.expect_download() as download:
        corner.button("Save corner plot").click()
    download.value.save_as(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")
    corner.outputs("corner").get_by_label("cosine", exact=True).check()
    until(lambda: "cosine" in corner.evaluate("corner.parameters"))
    corner.check()


def test_a_slider_shows_the_run_again_without_the_kernel(corner, tmp_path):
    slider = corner.outputs("replay").get_by_label("moment of the run")
    scatter, fit = corner.picture("replay"), corner.picture("replay", 1)
    begun = scatter.fingerprint(), fit.fingerprint()
    slider.focus()
    corner.execute("import threading, time; go = threading.Event()")
    corner.page.evaluate("code => probe.evaluate(code, 1)", "go.wait(1.5)")
    slider.press("End")
    corner.wait_painted()
    assert corner.outputs("replay").get_by_text("step 400 of 400").is_visible()
    assert scatter.fingerprint() != begun[0] and fit.fingerprint() != begun[1]
    corner.wait_drawn("replay")
    assert corner.evaluate("replay.position") == corner.evaluate(
        "len(replay.moments) - 1"
    )
    corner.outputs("replay").get_by_label("fit that is drawn").select_option("median")
    until(lambda: corner.evaluate("replay.view.fit") == "'median'")
    corner.execute("replay.go(20)")
    corner.wait_drawn("replay")
    corner.screenshot(tmp_path / "replay.png", cell="replay")
    slider.press("Home")
    corner.button("▶ Play").click()
    until(lambda: int(corner.evaluate("replay.position")) > 5)
    corner.button("‖ Pause").click()
    assert corner.button("▶ Play").is_visible()


def test_it_is_drawn_for_the_theme_and_for_a_narrow_page(corner, tmp_path):
    both = "corner._board.page.dark == replay._pages['dark'] == {}"
    for theme, dark in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        corner.page.evaluate(DARK % theme)
        until(lambda dark=dark: corner.evaluate(both.format(dark)) == "True")
        corner.wait_drawn("corner", "replay")
        for cell in ("corner", "replay"):
            corner.screenshot(tmp_path / f"{theme} {cell}.png", cell=cell)
    corner.page.set_viewport_size({"width": 470, "height": 1000})
    until(lambda: is_drawn_for_its_width(corner))
    corner.wait_drawn("corner", "replay")
    for cell in ("corner", "replay"):
        corner.screenshot(tmp_path / f"narrow {cell}.png", cell=cell)
        view = corner.outputs(cell).locator(".ampynb-corner")
        assert view.evaluate("e => e.scrollWidth - e.clientWidth") <= 1


def test_the_saved_notebook_keeps_corner_plot_and_fit(corner):
    corner.execute("corner.choose(0)")
    corner.wait_drawn("corner")
    cells = corner.save()["cells"]
    (html,) = [
        "".join(output["data"]["text/html"])
        for output in cells[2]["outputs"]
        if "text/html" in output["data"]
    ]
    assert "step 1, walker 1 of 16" in html
    pictures = re.findall(r'alt="([^"]*)"[^>]*base64,([^"]*)"', html)
    assert [name for name, _ in pictures] == [
        "the corner plot",
        "the fit of the marked sample",
    ]
    assert all(base64.b64decode(png).startswith(b"\x89PNG") for _, png in pictures)


def test_running_the_cells_again_leaves_nothing_behind(corner):
    def left():
        return literal_eval(
            corner.evaluate("(corner.wait(), replay.wait(), counts())[-1]")
        )

    def run_again(times):
        for cell in ("corner", "replay") * times:
            corner.run_cell(cell)
        return left()

    before = run_again(2)
    run_again(4)
    # A figure may just be at work: what is left is what stays.
    until(lambda: all(now <= then for now, then in zip(left(), before, strict=True)))
    assert corner.outputs("replay").locator("canvas").count() == 2
