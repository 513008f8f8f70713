"""Pictures of ranks: what their lines and bands stand for."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch

from ampynb.plots.figure import BEST, COLOURS, NotebookFigure
from ampynb.results.uniformity import ecdf_band
from tests.results.test_calibration import HIGH, NARROW, N, calibration, uniform

FOUND = calibration(uniform(), NARROW, HIGH)


def axes_of(figure):
    return np.array(figure.axes).reshape(-1, 2)


def stairs_of(axes):
    return [patch for patch in axes.patches if isinstance(patch, StepPatch)]


def test_every_quantity_has_a_histogram_and_a_distribution():
    figure = FOUND.plot()
    assert isinstance(figure, NotebookFigure)
    axes = axes_of(figure)
    assert len(axes) == 3
    titles = [one.get_title(loc="left") for one in axes[:, 0]]
    assert titles == FOUND.verdict()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_the_chosen_quantities_are_drawn_in_order():
    axes = axes_of(FOUND.plot(["scatter", "slope"]))
    titles = [one.get_title(loc="left") for one in axes[:, 0]]
    assert [title.split()[0] for title in titles] == ["scatter:", "slope"]
    assert len(axes_of(FOUND.plot("slope"))) == 1


@pytest.mark.parametrize("names", ["slop", ["slope", "weight"]])
def test_unknown_quantities_are_told(names):
    with pytest.raises(ValueError, match=r"expected names among slope, .*; got "):
        FOUND.plot(names)


def test_the_line_is_the_distribution_less_the_uniform_one():
    _, right = axes_of(FOUND.plot("scatter"))[0]
    z, difference = right.lines[-1].get_data()
    ranks = FOUND.ranks[:, 1]
    exact = [np.mean(ranks < i) - i / 100 for i in range(101)]
    np.testing.assert_allclose(z, np.arange(101) / 100)
    np.testing.assert_allclose(difference, exact, atol=1e-12)


def test_the_band_is_that_of_all_quantities_together():
    _, right = axes_of(FOUND.plot("slope"))[0]
    (band,) = right.collections
    edges = band.get_paths()[0].vertices
    exact = ecdf_band(N, 100, 1 - 0.05 / 3)
    assert edges[:, 1].max() == pytest.approx(np.max(exact.high - exact.z))
    assert edges[:, 1].min() == pytest.approx(np.min(exact.low - exact.z))


def test_histograms_hold_every_rank():
    left, _ = axes_of(FOUND.plot("scatter"))[0]
    *_, bars = stairs_of(left)
    heights, edges, _ = bars.get_data()
    expected = N * np.diff(edges) / 100
    assert np.sum(heights * expected) == pytest.approx(N)
    assert heights[0] > 1.5 and heights[-1] > 1.5  # the ends of a posterior too narrow


def test_lines_and_titles_tell_right_from_wrong():
    for (left, right), name in zip(axes_of(FOUND.plot()), FOUND.names, strict=True):
        is_wrong = name != "slope"
        colour = BEST if is_wrong else COLOURS[0]
        assert to_hex(right.lines[-1].get_color()) == colour.lower()
        assert to_hex(stairs_of(left)[-1].get_edgecolor()) == colour.lower()


@pytest.mark.parametrize(("n", "draws"), [(10, 9), (25, 99), (400, 100)])
def test_few_fits_and_any_number_of_draws_are_drawn(n, draws):
    ranks = np.random.default_rng(0).integers(0, draws + 1, (n, 1))
    found = calibration(uniform(n=n), ranks=ranks, n_draws=draws)
    left, _ = axes_of(found.plot())[0]
    heights, edges, _ = stairs_of(left)[-1].get_data()
    assert np.sum(heights * np.diff(edges)) == pytest.approx(draws + 1)
