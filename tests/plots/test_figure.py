"""Figures without pyplot, and the redrawing of a few artists over the rest."""

import io
from typing import Any

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from PIL import Image

import ampynb as anb
from ampynb.plots.figure import BlitCanvas, NotebookFigure
from tests.results.builders import normal_draws, result_of

RESULT = result_of(normal_draws(100), warmup=normal_draws(20, seed=4))
KINDS = {
    "corner": lambda: RESULT.corner(),
    "corner of two": lambda: anb.corner({"first": RESULT, "second": RESULT}),
    "trace": lambda: RESULT.trace(),
    "fit": lambda: RESULT.plot_fit(n=20),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_a_figure_shows_itself_and_leaves_nothing_behind(make):
    before = dict(matplotlib.rcParams)
    figure = make()
    image = Image.open(io.BytesIO(figure._repr_png_()))
    assert image.format == "PNG"
    assert min(image.size) > 200
    assert len(np.unique(np.asarray(image).reshape(-1, image.size[0]))) > 10
    assert matplotlib.pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def wave(phase: float) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(0.0, 6.0, 50)
    return x, np.sin(x + phase)


class Picture:
    """A figure with a line that moves, a legend and a title that do not."""

    def __init__(self, phase: float):
        self.figure = NotebookFigure(figsize=(4, 3), dpi=80)
        self.axes = self.figure.subplots()
        self.axes.set_ylim(-1.5, 1.5)
        (self.line,) = self.axes.plot(*wave(phase), lw=2, label="wave")
        self.axes.legend(loc="upper right")
        self.canvas = BlitCanvas(self.figure, [self.line])

    def at(self, phase: float) -> np.ndarray:
        self.line.set_data(*wave(phase))
        return pixels(self.canvas.png())


def test_a_blitted_picture_is_that_of_a_full_redraw():
    picture = Picture(0.0)
    for phase in (0.0, 1.0, 2.5, 0.0):
        blitted = picture.at(phase)
        picture.canvas.stale = True
        assert np.array_equal(blitted, picture.at(phase))
        assert np.array_equal(blitted, Picture(phase).at(phase))
    assert not np.array_equal(picture.at(0.0), picture.at(1.0))


def test_a_picture_without_overlap_is_matplotlibs_own():
    picture = Picture(1.0)
    blitted = picture.at(1.0)
    picture.line.set_animated(False)
    canvas: Any = picture.figure.canvas
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3]
    assert np.array_equal(blitted, drawn)


def test_the_background_is_kept_until_it_is_stale():
    picture = Picture(0.0)
    before = picture.at(0.0)
    picture.axes.set_title("new")
    assert np.array_equal(picture.at(0.0), before)
    picture.canvas.stale = True
    assert not np.array_equal(picture.at(0.0), before)
