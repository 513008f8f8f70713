"""The traces and distributions of the monitor's picture, as a run grows."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.results.history import History
from ampynb.widgets.live_picture import LivePicture
from tests.helpers import line_problem

POSTERIOR = line_problem().posterior


def grow(
    history: History, steps: int, phase: str = SAMPLING, nwalkers: int = 4, **how: float
) -> None:
    rng = np.random.default_rng(history.steps(SAMPLING))
    mean, sd = how.get("mean", 0.0), how.get("sd", 1.0)
    position = rng.normal(mean, sd, size=(steps, nwalkers, 2))
    density = -0.5 * np.sum(position**2, axis=-1)
    history.append(Draws(position, {"lp": density}, phase))


def pixels(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def picture() -> Any:
    history = History()
    grow(history, 200)
    return LivePicture(POSTERIOR, history)


def test_a_picture_over_the_kept_background_is_that_drawn_afresh(picture):
    picture.png()
    grow(picture.history, 20)
    drawn = []
    canvas_draw = picture._figure.canvas.draw
    picture._figure.canvas.draw = lambda: drawn.append(canvas_draw())
    kept = pixels(picture.png())
    assert not drawn, "the axes had room for the further steps"
    picture._canvas.stale = True
    np.testing.assert_array_equal(kept, pixels(picture.png()))
    assert len(drawn) == 1


def test_the_axis_of_steps_has_room_until_the_run_has_ended(picture):
    def reach():
        return picture._traces.traces[0].get_xlim()[1]

    picture.png()
    assert reach() == pytest.approx(400)
    for steps, expected in ((100, 400), (150, 898)):
        grow(picture.history, steps)
        picture.png()
        assert reach() == pytest.approx(expected, abs=2)
    picture.png(whole=True)
    last = picture.history.thinned(300)[0][-1]
    assert reach() == last and 445 < last <= 450


def test_the_distribution_beside_the_trace_is_that_of_the_draws(picture):
    grow(picture.history, 1800)
    picture.png()
    bars = picture._traces._fills[0].get_xy()[1:-2].reshape(-1, 2, 2)
    height, value = bars[:, 0, 0], bars[..., 1].mean(axis=1)
    mean = np.average(value, weights=height)
    sd = np.sqrt(np.average((value - mean) ** 2, weights=height))
    assert abs(mean) < 0.15 and abs(sd - 1) < 0.15
    assert height.max() == 1


def test_a_warm_up_from_afar_is_shaded_and_does_not_set_the_limits():
    history = History()
    grow(history, 50, WARMUP, mean=100.0)
    picture = LivePicture(POSTERIOR, history)
    picture.png()
    assert picture._traces.traces[0].get_ylim()[0] > 90
    grow(history, 200)
    picture.png()
    low, high = picture._traces.traces[0].get_ylim()
    assert -7 < low < -2 < 2 < high < 7
    assert picture._traces._shades[0].get_width() == 50


def test_limits_follow_draws_that_leave_them_and_close_in_again(picture):
    picture.png()
    grow(picture.history, 20, mean=50.0)
    picture.png()
    assert picture._traces.traces[1].get_ylim()[1] > 50


def test_points_that_die_are_dots_beside_the_live_ones():
    history = History()
    for scale in (8.0, 4.0, 2.0, 1.0):
        grow(history, 50, nwalkers=2, sd=scale)
    live = np.random.default_rng(0).normal(3.0, 0.1, size=(100, 1, 2))
    densities = {"lp": np.zeros((100, 1)), "log_likelihood": np.zeros((100, 1))}
    history.note_live(Draws(live, densities, SAMPLING))
    picture = LivePicture(POSTERIOR, history)
    picture.png()
    lines = picture._traces._lines[0]
    assert [line.get_linestyle() for line in lines] == ["None", "None"]
    corners = picture._traces._fills[0].get_xy()
    assert abs(corners[np.argmax(corners[:, 0]), 1] - 3.0) < 0.7
    low, high = picture._traces.traces[0].get_ylim()
    assert high - low < 20, "those that died first lay far out"
