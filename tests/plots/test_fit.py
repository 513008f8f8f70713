"""The picture of a fit: every line is exactly where the fit is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer

import ampynb as anb
from ampynb.plots.figure import NotebookFigure
from ampynb.plots.fit import FitPanels, is_drawable

X = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
DATA = np.array([3.5, 0.5, 2.1, 4.0, 4.4, 6.6])
BANDS = np.array(["r", "g", "r", "g", "g", "r"])
CURVE_X = np.linspace(0.5, 7.0, 30)
NOISE = np.full(6, 0.5)


def fit_at(slope: float) -> anb.GaussianFit:
    return anb.GaussianFit(DATA, NOISE, slope * X)


def curved_fit_at(slope: float) -> anb.GaussianFit:
    return replace(fit_at(slope), curve=slope * CURVE_X)


def banded_fit_at(slope: float) -> anb.GaussianFit:
    curves = np.stack([slope * CURVE_X, 2 * slope * CURVE_X])
    return replace(fit_at(slope), curve=curves)


ROWS = {name: np.flatnonzero(name == BANDS) for name in "rg"}
ORDERED = {name: rows[np.argsort(X[rows])] for name, rows in ROWS.items()}

# A panel, the fit at a slope, and the lines it is drawn with.
CASES = {
    "alone": (
        anb.Panel(x=X),
        fit_at,
        lambda slope: [(np.sort(X), slope * np.sort(X))],
    ),
    "without x": (
        anb.Panel(),
        fit_at,
        lambda slope: [(np.arange(6), slope * X)],
    ),
    "with a curve": (
        anb.Panel(x=X, curve_x=CURVE_X),
        curved_fit_at,
        lambda slope: [(CURVE_X, slope * CURVE_X)],
    ),
    "a curve but nowhere to draw it": (
        anb.Panel(x=X),
        curved_fit_at,
        lambda slope: [(np.sort(X), slope * np.sort(X))],
    ),
    "groups": (
        anb.Panel(x=X, groups=BANDS),
        fit_at,
        lambda slope: [(X[rows], slope * X[rows]) for rows in ORDERED.values()],
    ),
    "groups with curves": (
        anb.Panel(x=X, groups=BANDS, curve_x=CURVE_X),
        banded_fit_at,
        lambda slope: [(CURVE_X, slope * CURVE_X), (CURVE_X, 2 * slope * CURVE_X)],
    ),
    "logarithmic": (
        anb.Panel(x=X, xscale="log", yscale="log"),
        fit_at,
        lambda slope: [(np.sort(X), slope * np.sort(X))],
    ),
}


def assert_drawn(lines: list, expected: list) -> None:
    assert len(lines) == len(expected)
    for line, (x, y) in zip(lines, expected, strict=True):
        found_x, found_y = line.get_data()
        assert np.array_equal(found_x, x)
        assert np.array_equal(found_y, y)


@pytest.mark.parametrize(("panel", "fit_of", "lines_of"), CASES.values(), ids=CASES)
def test_the_lines_are_the_model(panel, fit_of, lines_of):
    panels = FitPanels(NotebookFigure(), panel, fit_of(1.0))
    assert_drawn(panels.lines, lines_of(1.0))
    for slope in (1.1, 0.7):
        panels.update(fit_of(slope))
        assert_drawn(panels.lines, lines_of(slope))
        residuals = (DATA - slope * X) / 0.5
        rows = [np.arange(6)] if panel.groups is None else list(ROWS.values())
        x = np.arange(6) if panel.x is None else X
        points = [(x[part], residuals[part]) for part in rows]
        for line, (x_of, y_of) in zip(panels.points, points, strict=True):
            np.testing.assert_allclose(line.get_data(), [x_of, y_of], rtol=1e-14)
    assert (panels.upper.get_xscale(), panels.upper.get_yscale()) == (
        panel.xscale,
        panel.yscale,
    )


@pytest.mark.parametrize(("panel", "fit_of", "_"), CASES.values(), ids=CASES)
def test_the_data_are_drawn_with_their_noise(panel, fit_of, _):
    panels = FitPanels(NotebookFigure(), panel, fit_of(1.0))
    bars = [c for c in panels.upper.containers if isinstance(c, ErrorbarContainer)]
    drawn = np.concatenate([bar.lines[0].get_xydata() for bar in bars])
    x = np.arange(6) if panel.x is None else X
    expected = np.stack([x, DATA], axis=1)
    assert sorted(drawn.tolist()) == sorted(expected.tolist())
    ends = np.concatenate([bar.lines[2][0].get_segments() for bar in bars])
    np.testing.assert_allclose(np.ptp(ends[..., 1], axis=1), 2 * 0.5)


def test_groups_keep_their_colour_and_have_a_legend():
    panel = anb.Panel(x=X, groups=BANDS)
    panels = FitPanels(NotebookFigure(), panel, fit_at(1.0))
    legend = panels.upper.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["r", "g"]
    colours = [
        (to_rgb(line.get_color()), to_rgb(points.get_color()))
        for line, points in zip(panels.lines, panels.points, strict=True)
    ]
    assert all(line == points for line, points in colours)
    assert len(set(colours)) == 2


def test_labels_are_on_the_axes():
    panel = anb.Panel(x=X, xlabel="time [d]", ylabel="flux [mJy]")
    panels = FitPanels(NotebookFigure(), panel, fit_at(1.0))
    assert panels.upper.get_ylabel() == "flux [mJy]"
    assert panels.lower.get_xlabel() == "time [d]"


def test_the_axes_stay_while_the_model_moves():
    panels = FitPanels(NotebookFigure(), anb.Panel(x=X), fit_at(1.0))
    limits = panels.upper.get_xlim(), panels.upper.get_ylim()
    panels.update(fit_at(30.0))
    assert (panels.upper.get_xlim(), panels.upper.get_ylim()) == limits


def test_the_residual_axis_grows_and_says_so():
    panels = FitPanels(NotebookFigure(), anb.Panel(x=X), fit_at(1.0))
    assert panels.lower.get_ylim() == (-4.0, 4.0)
    assert not panels.update(fit_at(1.01))
    assert panels.update(fit_at(1.5))  # the residual of x = 6 is -4.8 sigma
    low, high = panels.lower.get_ylim()
    assert -low == high >= 4.8
    assert not panels.update(fit_at(1.5))
    assert panels.update(fit_at(1.0))
    assert panels.lower.get_ylim() == (-4.0, 4.0)


def test_a_model_that_is_not_finite_is_drawn():
    figure = NotebookFigure()
    panels = FitPanels(figure, anb.Panel(x=X), fit_at(1.0))
    panels.update(fit_at(np.nan))
    assert np.all(np.isnan(panels.lines[0].get_ydata()))
    figure.canvas.draw()


def test_a_band_holds_its_mass_of_models():
    panel = anb.Panel(x=X, groups=BANDS)
    panels = FitPanels(NotebookFigure(), panel, fit_at(1.0))
    slopes = np.random.default_rng(0).normal(1.0, 0.1, size=500)
    fits = anb.GaussianFit(
        np.tile(DATA, (500, 1)), np.tile(NOISE, (500, 1)), slopes[:, None] * X
    )
    before = len(panels.upper.collections)
    panels.add_band(fits, mass=0.9)
    bands = list(panels.upper.collections)[before:]
    low, high = np.quantile(slopes, [0.05, 0.95])
    for band, rows in zip(bands, ORDERED.values(), strict=True):
        edges = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
        for x in X[rows]:
            heights = sorted(y for at, y in edges if at == x)
            np.testing.assert_allclose(heights, [low * x, high * x], rtol=1e-12)


def test_the_best_fit_is_dashed():
    panels = FitPanels(NotebookFigure(), anb.Panel(x=X), fit_at(1.0))
    panels.add_best(fit_at(1.2))
    line = panels.upper.lines[-1]
    assert line.get_linestyle() == "--"
    assert_drawn([line], [(np.sort(X), 1.2 * np.sort(X))])
    assert_drawn(panels.lines, [(np.sort(X), np.sort(X))])


@dataclass
class BareFit:
    """A fit of the user's own, without noise and residuals."""

    data: Any
    model: Any


def test_a_fit_without_noise_is_drawn_with_plain_differences():
    panels = FitPanels(NotebookFigure(), anb.Panel(x=X), BareFit(DATA, X))
    assert_drawn(panels.points, [(X, DATA - X)])
    assert_drawn(panels.lines, [(np.sort(X), np.sort(X))])


DRAWABLE = {
    "a ready fit": (fit_at(1.0), True),
    "one of the user's own": (BareFit(DATA, X), True),
    "an image": (anb.GaussianFit(np.ones((2, 2)), 1.0, np.ones((2, 2))), False),
    "one without data": (object(), False),
    "nothing": (None, False),
}


@pytest.mark.parametrize(("fit", "drawable"), DRAWABLE.values(), ids=DRAWABLE)
def test_a_fit_is_drawable_with_one_axis(fit, drawable):
    assert is_drawable(fit) is drawable
    if not drawable:
        with pytest.raises(TypeError, match=r"expected a fit .*; got .*; return"):
            FitPanels(NotebookFigure(), anb.Panel(), fit)
