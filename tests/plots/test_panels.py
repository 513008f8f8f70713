"""Joint fits are drawn side by side, each by its own panels."""

from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.plots.figure import NotebookFigure
from ampynb.plots.fit import FitPanels
from ampynb.plots.panels import JointPanels, can_draw, columns_of, panels_for

X = {"radio": np.arange(5.0), "xray": np.linspace(1.0, 2.0, 3)}
PANELS = {name: anb.Panel(x=x, xlabel=f"{name} [d]") for name, x in X.items()}
IMAGE = anb.GaussianFit(np.ones((2, 2)), 1.0, np.ones((2, 2)))


def fit_at(slope: float) -> anb.JointFit:
    fits: dict[str, Any] = {
        name: anb.GaussianFit(x**2, np.full(len(x), 0.5), slope * x)
        for name, x in X.items()
    }
    return anb.JointFit(fits, {})


def drawn(panels: JointPanels) -> dict[str, np.ndarray]:
    return {name: one.lines[0].get_xydata() for name, one in panels.panels.items()}


def assert_drawn(panels: JointPanels, slope: float) -> None:
    for name, line in drawn(panels).items():
        np.testing.assert_array_equal(line, np.stack([X[name], slope * X[name]], 1))


def test_one_fit_is_drawn_by_its_own_panels():
    fit = fit_at(1.0)["radio"]
    assert isinstance(panels_for(NotebookFigure(), PANELS["radio"], fit), FitPanels)
    assert columns_of(fit) == (1, 1)


def test_each_fit_of_a_joint_one_has_its_panels_and_its_name():
    figure = NotebookFigure(figsize=(10, 4))
    panels = panels_for(figure, PANELS, fit_at(1.0))
    assert isinstance(panels, JointPanels)
    assert len(figure.axes) == 4
    assert_drawn(panels, 1.0)
    for name, one in panels.panels.items():
        assert one.upper.get_title(loc="left") == name
        assert one.lower.get_xlabel() == f"{name} [d]"
    panels.set_title("best")
    assert panels.panels["xray"].upper.get_title(loc="left") == "xray: best"
    left, right = (one.upper.get_position() for one in panels.panels.values())
    boxes = [one.upper.get_window_extent() for one in panels.panels.values()]
    assert boxes[0].x1 < boxes[1].x0
    assert left.width == pytest.approx(right.width)


def test_all_move_together():
    panels = panels_for(NotebookFigure(), PANELS, fit_at(1.0))
    assert isinstance(panels, JointPanels)
    assert not panels.update(fit_at(1.0))
    assert panels.update(fit_at(40.0))  # the residuals leave their axes
    assert_drawn(panels, 40.0)
    assert len(panels.artists) == 4
    assert {artist.axes for artist in panels.artists} == {
        axes for one in panels.panels.values() for axes in (one.upper, one.lower)
    }


def test_bands_and_best_fits_are_added_to_each():
    panels = panels_for(NotebookFigure(), PANELS, fit_at(1.0))
    assert isinstance(panels, JointPanels)
    slopes = np.linspace(0.0, 1.0, 101)[:, None]
    fits: dict[str, Any] = {
        name: anb.GaussianFit(0 * slopes * x, 1.0, slopes * x) for name, x in X.items()
    }
    panels.add_band(anb.JointFit(fits, {}), mass=0.8)
    panels.add_best(fit_at(0.5))
    for name, one in panels.panels.items():
        (band,) = one.upper.collections[1:]
        low = np.min(band.get_paths()[0].vertices[:, 1])
        assert low == pytest.approx(0.1 * X[name].min())
        best = one.upper.lines[-1]
        assert best.get_linestyle() == "--"
        np.testing.assert_allclose(best.get_ydata(), 0.5 * X[name])


def test_what_cannot_be_drawn_is_left_out():
    fit = anb.JointFit({"image": IMAGE, **fit_at(1.0).fits}, {})
    panels = panels_for(NotebookFigure(), {"image": anb.Panel(), **PANELS}, fit)
    assert isinstance(panels, JointPanels)
    assert list(panels.panels) == ["radio", "xray"]
    assert can_draw(fit)
    assert columns_of(fit) == (2, 1)
    nothing = anb.JointFit({"image": IMAGE}, {})
    assert not can_draw(nothing)
    with pytest.raises(TypeError, match=r"expected a joint fit .* got image; return"):
        panels_for(NotebookFigure(), {"image": anb.Panel()}, nothing)


@pytest.mark.parametrize(
    ("number", "layout"), [(1, (1, 1)), (3, (3, 1)), (4, (3, 2)), (7, (3, 3))]
)
def test_many_fits_are_in_rows(number, layout):
    one = fit_at(1.0)["radio"]
    fit = anb.JointFit({f"d{i}": one for i in range(number)}, {})
    figure = NotebookFigure(figsize=(12, 12))
    panels_for(figure, dict.fromkeys(fit.fits, PANELS["radio"]), fit)
    assert columns_of(fit) == layout
    assert len(figure.axes) == 2 * number


def test_joint_fits_in_joint_fits_are_drawn():
    fit = anb.JointFit({"sky": fit_at(1.0), "other": fit_at(1.0)["radio"]}, {})
    figure = NotebookFigure(figsize=(12, 5))
    panels_for(figure, {"sky": PANELS, "other": PANELS["radio"]}, fit)
    assert len(figure.axes) == 6
    assert figure._repr_png_()
