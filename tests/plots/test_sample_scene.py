"""Backgrounds of samples: boxes and ranges agree with what matplotlib draws."""

import io

import numpy as np
import pytest
from PIL import Image

from ampynb.plots.sample_scene import Trace, corner_scene, trace_scene
from tests.results.builders import normal_draws

DRAWS = normal_draws(200, ndim=3).reshape(-1, 3) + np.array([0.0, 10.0, 20.0])
LABELS = ["a [mJy]", "b", "c [d]"]
RANGES = [(-3.0, 3.0), (7.0, 13.0), (17.0, 23.0)]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)


def test_a_corner_plot_has_the_panels_of_its_lower_triangle():
    layout = corner_scene({"": DRAWS}, LABELS, width=400).layout()
    found = {(panel["x"], panel["y"]) for panel in layout["panels"]}
    diagonal = {(i, None) for i in range(3)}
    assert found == diagonal | {(0, 1), (0, 2), (1, 2)}
    for panel in layout["panels"]:
        low, high = panel["xlim"]
        column = DRAWS[:, panel["x"]]
        assert low < np.quantile(column, 0.01) < np.quantile(column, 0.99) < high


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_the_picture_has_the_size_that_is_told(ratio):
    scene = corner_scene({"": DRAWS}, LABELS, width=400, ratio=ratio)
    layout = scene.layout()
    assert (layout["width"], layout["height"]) == (400, 400)
    assert pixels(layout["png"]).shape[:2] == (400 * ratio, 400 * ratio)
    for panel in layout["panels"]:
        left, top, width, height = panel["box"]
        assert 0 < left < left + width < 400
        assert 0 < top < top + height < 400


@pytest.mark.parametrize("dark", [False, True])
def test_a_mark_is_where_the_box_and_the_range_of_a_panel_say(dark):
    scene = corner_scene({"": DRAWS}, LABELS, width=500, dark=dark)
    mark = np.array([2.5, 12.5, 22.5])  # away from the contours
    nothing = scene.picture([DRAWS[:0]])
    changed = np.any(
        pixels(scene.picture([DRAWS[:0]], mark)) != pixels(nothing), axis=2
    )
    for panel in scene.layout()["panels"]:
        if panel["y"] is None:
            continue
        left, top, width, height = panel["box"]
        (x0, x1), (y0, y1) = panel["xlim"], panel["ylim"]
        x = left + (mark[panel["x"]] - x0) / (x1 - x0) * width
        y = top + (1 - (mark[panel["y"]] - y0) / (y1 - y0)) * height
        rows, columns = np.nonzero(
            changed[int(y) - 15 : int(y) + 15, int(x) - 15 : int(x) + 15]
        )
        assert np.mean(columns) - 15 == pytest.approx(x - int(x), abs=1.0)
        assert np.mean(rows) - 15 == pytest.approx(y - int(y), abs=1.0)
    assert np.array_equal(pixels(scene.picture([DRAWS[:0]])), pixels(nothing))


def test_a_trace_has_a_panel_for_each_parameter_over_its_abscissa():
    chains = Trace(np.arange(1.0, 201), DRAWS.reshape(200, 4, 3))
    points = Trace(np.linspace(0, 300, 50), np.zeros((50, 0, 3)))
    scene = trace_scene([chains, points], RANGES, LABELS, "step", width=400)
    panels = scene.layout()["panels"]
    assert [(panel["x"], panel["y"]) for panel in panels] == [(3, 0), (3, 1), (3, 2)]
    assert [tuple(panel["ylim"]) for panel in panels] == RANGES
    assert all(panel["xlim"] == [0, 300] for panel in panels)
    assert [axes.get_title() for axes, _, _ in scene.panels] == LABELS
    assert all(len(axes.lines) == 4 for axes, _, _ in scene.panels)
