"""A picture taken apart: what moves is told where matplotlib would draw it."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ampynb as anb
from ampynb.plots.panels import can_draw, panels_for
from ampynb.plots.scene import PAPER, Scene

X = np.linspace(1.0, 10.0, 40)
DATA = 2.0 * X
PANEL = anb.Panel(x=X, xlabel="time [d]", ylabel="flux [mJy]", yscale="log")
ROWS, COLUMNS = np.mgrid[:12, :20]


def fit_at(slope):
    return anb.GaussianFit(DATA, np.full(40, 0.5), slope * X)


def fits_at(slopes):
    fits = [fit_at(slope) for slope in slopes]
    stacked = {
        name: np.stack([getattr(fit, name) for fit in fits])
        for name in ("data", "noise", "model")
    }
    return anb.GaussianFit(**stacked)


def image_at(height):
    model = height * np.exp(-((ROWS - 4) ** 2 + (COLUMNS - 15) ** 2) / 20)
    return anb.GaussianFit(image_data(), np.full(model.shape, 0.1), model)


def image_data():
    noise = 0.1 * np.random.default_rng(1).normal(size=ROWS.shape)
    return np.exp(-((ROWS - 4) ** 2 + (COLUMNS - 15) ** 2) / 20) + noise


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)), dtype=int)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_the_curve_is_where_matplotlib_draws_it(ratio):
    scene = Scene(PANEL, fit_at(2.0), 600, 400, ratio)
    frame = scene.frames(fit_at(2.0), batched=False)
    line, points = scene.layout(fit_at(2.0))["parts"]
    assert (line["kind"], points["kind"]) == ("line", "points")
    x = np.frombuffer(line["x"], np.float32)
    shown = pixels(scene.picture(fit_at(2.0)))
    assert shown.shape == (400 * ratio, 600 * ratio, 3)
    for across, down in zip(x[3:-3], frame.y[0, 3:37], strict=True):
        found = shown[int(down * ratio), int(across * ratio)]
        assert np.abs(found - [0xD5, 0x5E, 0x00]).max() < 60, (across, down)
    # Within the axes, and the residuals in theirs.
    left, top, width, height = line["box"]
    assert np.all((x >= left) & (x <= left + width))
    assert np.all((frame.y[0, :40] >= top) & (frame.y[0, :40] <= top + height))
    assert np.all(frame.y[0, 40:] > top + height)


def test_frames_of_a_batch_are_those_of_each():
    scene = Scene(PANEL, fit_at(2.0))
    slopes = [0.5, 2.0, 2.05, 9.0]
    batch = scene.frames(fits_at(slopes), batched=True)
    each = [scene.frames(fit_at(slope), batched=False) for slope in slopes]
    assert batch.limits.tolist() == [one.limits[0] for one in each]
    assert len(set(batch.limits)) > 1
    assert np.array_equal(batch.y, np.concatenate([one.y for one in each]))


def test_what_stands_still_lets_the_ground_shine_through_and_has_no_curve():
    scene = Scene(PANEL, fit_at(2.0))
    still = pixels(scene.background(4.0))
    assert still[0, 0, 3] == 0
    curve = np.abs(still[..., :3] - [0xD5, 0x5E, 0x00]).max(axis=-1) < 10
    assert not np.any(curve & (still[..., 3] > 250))
    assert np.any(still[..., 3] > 200)


def test_backgrounds_differ_by_the_limit_of_the_residuals_and_are_kept():
    scene = Scene(PANEL, fit_at(2.0))
    narrow, wide = scene.background(4.0), scene.background(40.0)
    assert narrow != wide
    assert scene.background(4.0) is narrow


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_on_their_ground(dark):
    scene = Scene(PANEL, fit_at(2.0), dark=dark)
    shown = pixels(scene.picture(fit_at(2.0)))
    ground = np.array([int(PAPER[dark][i : i + 2], 16) for i in (1, 3, 5)])
    assert np.array_equal(shown[0, 0], ground)
    label = shown[-20:, 200:500]  # of the abscissa
    assert np.abs(label - ground).max() > 150


def test_images_are_told_in_the_colours_of_matplotlib():
    scene = Scene(anb.Panel(), image_at(1.0), 700, 300)
    fit = image_at(0.8)
    frame = scene.frames(fit, batched=False)
    panels: Any = scene.panels
    panels.update(fit)
    parts = scene.layout(fit)["parts"]
    assert [part["kind"] for part in parts] == ["image", "image"]
    start = 0
    for part, artist in zip(parts, scene.panels.artists, strict=True):
        rows, columns = part["shape"]
        indices = frame.pixels[0, start : start + rows * columns]
        start += rows * columns
        colours = np.frombuffer(part["colours"], np.uint8).reshape(256, 4)
        expected = artist.to_rgba(artist.get_array(), bytes=True)
        assert np.array_equal(colours[indices].reshape(rows, columns, 4), expected)
    assert start == frame.pixels.shape[1]


def test_an_image_is_where_its_axes_are():
    scene = Scene(anb.Panel(extent=(-2, 2, -1, 1)), image_at(1.0), 700, 300)
    model, residual = scene.layout(image_at(1.0))["parts"]
    assert model["upward"]
    left, top, width, height = model["box"]
    assert width / height == pytest.approx(2.0, rel=0.01)
    assert left + width < residual["box"][0]
    # Its brightest pixel, at row 4 and column 15 of 12 x 20, in the whole picture.
    shown = pixels(scene.picture(image_at(1.0)))
    across = int(left + width * 15.5 / 20)
    down = int(top + height * (1 - 4.5 / 12))
    brightest = shown[down, across]
    assert brightest[0] > 200 and brightest[2] < 100  # viridis' yellow


def test_images_stand_one_above_the_other_in_a_narrow_page():
    scene = Scene(anb.Panel(), image_at(1.0), 360, 900)
    model, residual = scene.layout(image_at(1.0))["parts"]
    assert residual["box"][1] > model["box"][1] + model["box"][3]


def test_ghosts_and_bands_are_part_of_what_stands_still():
    scene = Scene(PANEL, fit_at(2.0))
    before = scene.background(4.0)
    scene.add(ghosts=[fit_at(1.0)])
    ghostly = scene.background(4.0)
    scene.add(bands=[(fits_at(np.linspace(1.5, 2.5, 9)), None)])
    assert len({before, ghostly, scene.background(4.0)}) == 3


DRAWABLE = {
    "a curve": (fit_at(1.0), True),
    "an image": (image_at(1.0), True),
    "a cube": (anb.GaussianFit(np.ones((2, 2, 2)), 1.0, np.ones((2, 2, 2))), False),
    "nothing": (None, False),
}


@pytest.mark.parametrize(("fit", "drawable"), DRAWABLE.values(), ids=DRAWABLE)
def test_curves_and_images_can_be_drawn(fit, drawable):
    assert can_draw(fit) is drawable
    if not drawable:
        with pytest.raises(TypeError, match="expected a fit"):
            panels_for(Scene(PANEL, fit_at(1.0)).figure, PANEL, fit)


def test_masked_data_are_drawn():
    mask = np.arange(40) > 3
    fit = replace(fit_at(2.0), mask=mask)
    assert np.isfinite(Scene(PANEL, fit).frames(fit, batched=False).y).all()
