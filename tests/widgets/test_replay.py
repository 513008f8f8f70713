"""The replay without a page: each control, and what is drawn of each moment."""

import gc
import io
import weakref

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import ampynb as anb
from tests.results.builders import LINE, normal_draws, result_of
from tests.widgets.test_timeline import Heated

RESULT = result_of(
    np.array([1.5, -0.5]) + 0.2 * normal_draws(100),
    warmup=np.array([3.0, 2.0]) + normal_draws(30, seed=1),
)


@pytest.fixture(scope="module")
def shared():
    replay = RESULT.replay()
    yield replay
    replay.close()


@pytest.fixture
def replay(shared):
    """One replay for all tests, at its beginning."""
    shared.go(0)
    shared.show_fit("best")
    return shared


def frame(replay, of, n):
    """Return the curve and the residuals of one moment, as the page has them."""
    y = np.frombuffer(replay.widget.fits[of]["y"], "<f4")
    return y.reshape(len(replay.moments), -1)[n]


@pytest.mark.parametrize("of", ["best", "median"])
@pytest.mark.parametrize("n", [0, 17, -1])
def test_the_fit_of_each_moment_is_that_of_its_best_and_of_its_median(replay, of, n):
    vector = getattr(replay.moments[n], of)
    fit = LINE.analysis.fit_for_visualization(LINE.model.instance_from_vector(vector))
    expected = replay._drawing.scene.frames(fit, batched=False)
    assert frame(replay, of, n) == pytest.approx(expected.y.ravel(), abs=1e-3)
    key = replay.widget.fits[of]["keys"][n]
    assert key == replay._drawing.key(expected.limits[0])
    assert replay.widget.backgrounds[key].startswith(b"\x89PNG")


def test_the_page_has_the_points_of_each_moment(replay):
    sent = replay.widget.points
    values = np.frombuffer(sent["values"], "<f4").reshape(-1, sent["columns"])
    for n, moment in enumerate(replay.moments):
        begin, end = sent["starts"][n : n + 2]
        assert values[begin:end] == pytest.approx(moment.points, rel=1e-6)
    assert [one["title"] for one in replay.widget.moments] == [
        moment.title for moment in replay.moments
    ]


def test_the_slider_of_the_page_and_the_method_move_the_same(replay):
    replay.widget.position = 12
    assert replay.moment is replay.moments[12]
    replay.go(-1)
    assert replay.widget.position == len(replay.moments) - 1
    low, high = np.quantile(replay.moment.points[:, 0], (0.0, 1.0))
    number = replay.numbers["slope"].split(" ± ")
    assert low < float(number[0]) < high
    assert replay.numbers["best ln likelihood"] == f"{RESULT.best.value:.2f}"


def test_ranges_hold_the_burn_in_and_the_result(replay):
    for panel in replay.widget.scatter["panels"]:
        low, high = panel["xlim"]
        column = RESULT.warmup[..., panel["x"]]
        assert low < np.quantile(column, 0.02) < np.quantile(column, 0.98) < high
        draws = RESULT.draws[..., panel["x"]]
        assert low < draws.min() < draws.max() < high


def test_the_fit_can_be_chosen_and_is_in_the_static_picture(replay):
    replay.go(5)
    best = replay.pictures()
    assert list(best) == ["the points of the moment", "the fit of the best"]
    replay.show_fit("median")
    median = replay.pictures()
    assert list(median) == ["the points of the moment", "the fit of the median"]
    bundle = replay._repr_mimebundle_()
    assert bundle["text/html"].count("data:image/png;base64,") == 2
    assert bundle["text/plain"].startswith("Replay(scripted, moment 6 of ")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert len(replay.figure().axes) == 2


def test_another_size_and_theme_of_the_page(replay):
    page = {"do": "page", "scatter": 330, "fit": 340, "ratio": 2.0, "dark": True}
    replay.widget._handle_custom_msg(page, [])
    assert replay.wait()
    assert replay.widget.scatter["width"] == 330
    assert replay.widget.scene["width"] == 340
    png = Image.open(io.BytesIO(replay.widget.scatter["png"]))
    assert png.size == (660, 660)
    assert set(replay.widget.fits["best"]["keys"]) <= set(replay.widget.backgrounds)


BAD = {
    "a moment": (lambda r: r.go(1000), "expected a moment from 0 to .*; got 1000"),
    "a fit": (lambda r: r.show_fit("mean"), "expected one of best, median; got 'mean'"),
    "a temperature": (
        lambda r: r.set_temperature(1),
        "expected a temperature .*got 1;",
    ),
    "a parameter": (lambda r: r.result.replay("slop"), "did you mean 'slope'"),
    "no parameter": (lambda r: r.result.replay([]), "expected parameters to show"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_what_is_not_there_is_told(replay, call, message):
    with pytest.raises(ValueError, match=message):
        call(replay)


def test_the_temperature_can_be_chosen():
    result = result_of(RESULT.draws, kind=Heated)
    replay = result.replay()
    assert replay.widget.temperatures == ["1", "10", "inf"]
    cold = np.std(replay.moments[-1].points, axis=0)
    replay.widget.temperature = 2
    assert replay.wait()
    assert np.std(replay.moments[-1].points, axis=0) == pytest.approx(9 * cold)
    replay.set_temperature(0)
    assert np.array_equal(np.std(replay.moments[-1].points, axis=0), cold)
    replay.close()


def test_a_saved_run_is_replayed_with_and_without_its_analysis(tmp_path):
    anb.InferenceEngine(LINE.analysis, LINE.model, seed=2).run(
        nwalkers=8, iterations=50, burn=20, path=tmp_path / "run", progress="none"
    )
    bare = anb.open_run(tmp_path / "run").replay("slope")
    assert bare.widget.fits == {} and bare.widget.points["columns"] == 1
    assert list(bare.pictures()) == ["the points of the moment"]
    bare.close()
    whole = anb.open_run(tmp_path / "run", LINE.analysis, LINE.model).replay()
    assert whole.moments[0].title == "step 1 of 20 of the burn-in"
    assert whole.widget.fits["best"]["keys"]
    whole.close()


def test_closing_leaves_no_widget_and_no_figure_behind():
    before = set(_instances)
    replay = RESULT.replay("slope")
    kept = [weakref.ref(replay.scatter), weakref.ref(replay._drawing.scene)]
    replay.close()
    replay.close()
    assert set(_instances) <= before
    assert replay._repr_mimebundle_() == {"text/plain": repr(replay)}
    gc.collect()
    assert [one() for one in kept] == [None, None]


def test_one_that_nobody_holds_is_closed():
    before = set(_instances)
    replay = RESULT.replay("slope")
    replay.go(3)
    del replay
    gc.collect()
    assert set(_instances) <= before
