"""Traces: the chains as they are, the burn-in marked, a histogram of the rest."""

import numpy as np
import pytest

import ampynb as anb
from ampynb.plots.figure import NotebookFigure
from ampynb.plots.trace import MOST_LINES, MOST_POINTS, plot_trace
from tests.results.builders import BENT, LINE, normal_draws, result_of

DRAWS, WARMUP = normal_draws(60), normal_draws(15, seed=3)
RESULT = result_of(DRAWS, warmup=WARMUP)


def test_every_chain_is_drawn_from_the_first_step():
    axes = plot_trace(NotebookFigure(), DRAWS, ["a", "b"])
    assert axes.shape == (2, 2)
    for column in range(2):
        lines = axes[column, 0].lines
        assert len(lines) == 4
        for chain, line in enumerate(lines):
            assert np.array_equal(line.get_xdata(), np.arange(60))
            assert np.array_equal(line.get_ydata(), DRAWS[:, chain, column])
    assert [row[0].get_ylabel() for row in axes] == ["a", "b"]


def test_the_histogram_counts_the_draws_after_the_burn_in():
    position = np.concatenate([WARMUP + 100.0, DRAWS])
    axes = plot_trace(NotebookFigure(), position, ["a", "b"], warmup=15)
    for left, right in axes:
        assert sum(bar.get_width() for bar in right.patches) == 60 * 4
        assert left.get_ylim()[1] < 50.0  # the burn-in may leave the picture
        assert left.get_ylim() == right.get_ylim()
    shade = axes[0, 0].patches[0]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (0, 15)


def test_a_result_s_trace_has_its_burn_in():
    figure = RESULT.trace()
    line = figure.axes[0].lines[0]
    expected = np.concatenate([WARMUP, DRAWS])[:, 0, 0]
    assert np.array_equal(line.get_ydata(), expected)


def test_parameters_are_chosen_by_name():
    posterior = anb.Posterior(LINE.analysis, BENT)
    result = result_of(normal_draws(30, ndim=4), posterior)
    figure = result.trace(["weights[1]", "slope"])
    assert len(figure.axes) == 4
    for row, column in ((0, 3), (1, 0)):
        line = figure.axes[2 * row].lines[0]
        assert np.array_equal(line.get_ydata(), result.draws[:, 0, column])
    assert figure.axes[2].get_ylabel() == "$m$ [mJy/d]"


def test_unknown_parameters_are_told():
    with pytest.raises(ValueError, match=r"expected .*slope, intercept.*; got .*slop"):
        RESULT.trace(["slop"])


def test_long_chains_are_thinned_and_many_are_sampled():
    position = np.zeros((3 * MOST_POINTS, 2 * MOST_LINES, 1))
    position += np.arange(2 * MOST_LINES)[:, None]
    axes = plot_trace(NotebookFigure(), position, ["a"])
    lines = axes[0, 0].lines
    assert len(lines) == MOST_LINES
    assert len(lines[0].get_xdata()) <= MOST_POINTS
    heights = [line.get_ydata()[0] for line in lines]
    assert (heights[0], heights[-1]) == (0, 2 * MOST_LINES - 1)


EDGES = {
    "one draw": np.ones((1, 2, 1)),
    "one chain": normal_draws(20, nwalkers=1, ndim=1),
    "a chain that stands still": np.ones((20, 2, 1)),
}


@pytest.mark.parametrize("position", EDGES.values(), ids=EDGES)
def test_the_smallest_traces_are_drawn(position):
    figure = NotebookFigure()
    plot_trace(figure, position, ["a"])
    assert figure._repr_png_().startswith(b"\x89PNG")
