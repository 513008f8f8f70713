"""Corner plots: which parameters, in which order, over which ranges."""

import io

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.widgets.live_picture import LivePicture
from tests.results.builders import BENT, LINE, normal_draws, result_of

OFFSETS = np.array([0.0, 10.0, 20.0, 30.0])
DRAWS = normal_draws(300, ndim=4) + OFFSETS
RESULT = result_of(DRAWS, anb.Posterior(LINE.analysis, BENT))

# The second model has some of the parameters, in another order.
OTHER = anb.Model(
    extra=dist.Normal(0.0, 1.0),
    intercept=BENT.prior_of("intercept"),
    slope=BENT.prior_of("slope"),
)
OTHER_RESULT = result_of(
    normal_draws(300, ndim=3, seed=1) + np.array([-50.0, 12.0, 1.0]),
    anb.Posterior(LINE.analysis, OTHER),
)


def grid(figure):
    side = round(np.sqrt(len(figure.axes)))
    assert side**2 == len(figure.axes)
    return np.array(figure.axes).reshape(side, side)


def test_every_parameter_has_a_row_with_its_label_and_unit():
    axes = grid(RESULT.corner())
    assert axes.shape == (4, 4)
    labels = [one.get_xlabel() for one in axes[-1]]
    assert labels == ["$m$ [mJy/d]", "intercept [mJy]", "weights[0]", "weights[1]"]


@pytest.mark.parametrize(
    "names", [["slope"], ["weights[1]", "slope"], ["intercept", "weights[0]"]]
)
def test_the_chosen_parameters_are_drawn_in_the_order_asked_for(names):
    axes = grid(RESULT.corner(names))
    assert len(axes) == len(names)
    for i, name in enumerate(names):
        low, high = axes[i, i].get_xlim()
        column = RESULT.model.names.index(name)
        draws = RESULT.flat_draws[:, column]
        assert low < np.quantile(draws, 0.01) < np.quantile(draws, 0.99) < high
        assert high - low < 2 * np.ptp(draws)
        title = axes[i, i].get_title()
        assert f"{np.median(draws):.2f}" in title  # corner gives median and 1 sigma


def test_several_results_share_their_common_parameters():
    figure = anb.corner({"first": RESULT, "second": OTHER_RESULT})
    axes = grid(figure)
    labels = [one.get_xlabel() for one in axes[-1]]
    assert labels == ["$m$ [mJy/d]", "intercept [mJy]"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["first", "second"]
    for i, (first, second) in enumerate([(0.0, 1.0), (10.0, 12.0)]):
        low, high = axes[i, i].get_xlim()
        assert low < first - 2 < second + 2 < high
        assert high - low < 15.0


def test_every_result_of_many_is_drawn():
    names = [f"run {i}" for i in range(9)]
    figure = anb.corner({name: RESULT for name in names}, ["slope"])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == names
    assert len(grid(figure)[0, 0].patches) == 9


UNKNOWN = {
    "a name that is in none": (RESULT, ["slop"], "slop"),
    "a vector and not its element": (RESULT, ["weights"], "weights"),
    "a name that one has not": (
        {"first": RESULT, "second": OTHER_RESULT},
        ["extra"],
        "extra",
    ),
    "nothing": (RESULT, [], "none"),
}


@pytest.mark.parametrize(("results", "names", "got"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_parameters_are_told(results, names, got):
    with pytest.raises(ValueError, match=rf"expected .*slope, .*; got {got}; correct"):
        anb.corner(results, names)


def test_results_without_names_are_told():
    with pytest.raises(TypeError, match=r"several by name; got them in a list; write"):
        anb.corner([RESULT, OTHER_RESULT])


def test_results_with_nothing_in_common_are_told():
    alone = anb.Model(a=dist.Normal(0.0, 1.0), b=dist.Normal(0.0, 1.0))
    other = result_of(
        normal_draws(20),
        anb.Posterior(Constant(), alone),
    )
    with pytest.raises(ValueError, match=r"expected parameters that all results have"):
        anb.corner({"first": RESULT, "second": other})


class Constant(anb.Analysis):
    def log_likelihood_function(self, instance):
        return 0.0 * instance.a


def test_a_parameter_that_stands_still_is_drawn():
    draws = normal_draws(300)
    draws[..., 1] = 7.0
    axes = grid(result_of(draws).corner())
    low, high = axes[1, 1].get_xlim()
    assert low < 7.0 < high


@pytest.mark.parametrize("names", [["slope"], ["slope", "intercept"]])
def test_options_reach_corner(names):
    truths = [0.5, 10.5][: len(names)]
    axes = grid(RESULT.corner(names, truths=truths, show_titles=False))
    for i, truth in enumerate(truths):
        assert axes[i, i].get_title() == ""
        assert truth in [line.get_xdata()[0] for line in axes[i, i].lines]


def test_one_parameter_may_be_named_alone():
    by_name = [axes.get_xlabel() for axes in RESULT.corner("slope").axes]
    in_list = [axes.get_xlabel() for axes in RESULT.corner(["slope"]).axes]
    assert by_name == in_list


@pytest.mark.parametrize(
    ("value", "spread"),
    [
        (0.0, 0.0),
        pytest.param(-1e16, 0.0, marks=pytest.mark.slow),
        pytest.param(1e30, 0.0, marks=pytest.mark.slow),
        (1e16, 1e-15),
    ],
)
def test_a_column_that_stands_still_is_drawn(value, spread):
    """Of any size, in every picture that shows draws."""
    position = normal_draws(40)
    position[..., 1] = value * (1 + spread * position[..., 0])
    result = result_of(position)
    for figure in (result.corner(), result.trace()):
        figure.savefig(io.BytesIO())
    for view in (result.corner(interactive=True), result.replay()):
        view.figure().savefig(io.BytesIO())
        view.close()
    assert LivePicture(LINE.posterior, result.history).png()
    low, high = grid(result.corner())[1, 1].get_xlim()
    assert low <= position[..., 1].min() and position[..., 1].max() <= high
    assert np.all(np.diff(np.linspace(low, high, 31)) > 0)
