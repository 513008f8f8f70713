"""From a point to what is shown: numbers, and the moving parts of the picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.fit import used_in
from ampynb.analysis.joint import check_noises, fits_in
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.visualization import each_fit
from ampynb.model.model import Model
from ampynb.plots.image import is_image
from ampynb.plots.panels import can_draw, columns_of
from ampynb.plots.scene import Frames, Scene
from ampynb.results.result import Result
from ampynb.widgets.point import Control, Point

__all__ = ["Drawing", "Frame", "Sweep", "frames_for"]

PIECE = 26  # values of a sweep that are computed at once
COUNTS = (201, 101, 51, 41, 26, 21)  # so that most fall on the slider's own 200 steps
MOST_BYTES = 2**21
MOST_SECONDS = 1.5
HEIGHTS = {1: (0.66, 300, 640), 2: (0.42, 260, 620)}  # share of the width, and ends
STILL = ("data", "noise", "mask", "upper_limit")
NARROW = 480  # below it, images stand one above the other


@dataclass(frozen=True)
class Frame:
    """One picture and its numbers; ``background`` and ``parts`` are None for no fit."""

    numbers: list[tuple[str, str]]
    background: str | None = None
    parts: Frames | None = None


@dataclass(frozen=True)
class Sweep:
    """Frames for values of one element from end to end, the others as in ``point``."""

    control: Control
    point: Point
    epoch: int
    numbers: list[list[tuple[str, str]]]
    parts: Frames

    @property
    def keys(self) -> list[str]:
        """The names of the frames' backgrounds."""
        return [background_key(self.epoch, limit) for limit in self.parts.limits]


@dataclass(frozen=True)
class Page:
    """The room there is in the page."""

    width: int = 700
    ratio: float = 1.0
    dark: bool = False

    def size(self, dimensions: int, grid: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """Return width and height of a picture of columns and rows of panels [px]."""
        share, least, most = HEIGHTS[dimensions]
        if dimensions == 2 and self.width < NARROW:
            return self.width, int(2.6 * self.width)
        columns, rows = grid
        return self.width, rows * int(
            np.clip(share * self.width / columns, least, most)
        )


@dataclass
class Drawing:
    """Draws fits of one analysis; hold its lock, but for `sweep`, which takes it.

    Attributes
    ----------
    sampled : Result, optional
        Whose draws are shown, and no fit once its likelihood or its data are others.
    epoch : int
        Grows when frames of before do not fit the scene any more.
    """

    analysis: Analysis
    page: Page = Page()
    sampled: Result | None = None
    ghosts: list[Any] = field(default_factory=list)
    bands: list[Any] = field(default_factory=list)
    scene: Scene | None = None
    epoch: int = 0
    fit: Any = None
    program: str | None = None
    seconds: float = np.inf
    lock: Any = field(default_factory=threading.RLock)

    def lay_out(self) -> None:
        """Forget the scene: the next frame makes it anew."""
        self.scene = None

    def frame(self, point: Point) -> Frame:
        """Return the picture and the numbers at a point."""
        if self.fit is None and self.analysis.has_fit:
            self.look_at(point)  # it compiles
        begun = time.perf_counter()
        fit, numbers = self.look_at(point)
        self.seconds = min(self.seconds, time.perf_counter() - begun)
        if fit is None:
            return Frame(numbers)
        program = self.analysis.fit_program(point.instance)
        changed = self.fit is None or program != self.program
        changed = changed or _data_differ(self.fit, fit)
        self.fit, self.program = fit, program
        if not can_draw(fit):
            return Frame(numbers)
        if self.scene is None or changed:
            self._make_scene(fit)
        assert self.scene is not None
        parts = self.scene.frames(fit, batched=False)
        return Frame(numbers, self.key(parts.limits[0]), parts)

    def look_at(self, point: Point) -> tuple[Any, list[tuple[str, str]]]:
        """Return the fit, None where the analysis has none, and the numbers."""
        self.check_unchanged()
        log_prior = float(_log_prior(point.model, point.vector))
        if not self.analysis.has_fit:
            posterior = Posterior(self.analysis, point.model)
            likelihood = posterior.raw_log_likelihood(point.vector)
            return None, numbers_of(float(likelihood), log_prior)
        fit = self.analysis.fit_for_visualization(point.instance)
        check_noises(fit)
        return fit, _numbers_of_fit(fit, log_prior, point.model.ndim)

    def check_unchanged(self) -> None:
        """Raise `ChangedError` where draws that are shown are of another likelihood."""
        if self.sampled is not None:
            self.sampled.check_unchanged()

    def _make_scene(self, fit: Any) -> None:
        page = self.page
        width, height = page.size(2 if is_image(fit) else 1, columns_of(fit))
        panel = self.analysis.panel()
        self.scene = Scene(panel, fit, width, height, page.ratio, page.dark)
        self.scene.add(self.ghosts, self.bands)
        self.epoch += 1

    def key(self, limit: float) -> str:
        """Return the name of a background."""
        return background_key(self.epoch, limit)

    def background(self, key: str) -> bytes:
        """Return the background of a name that `key` gave, as a PNG."""
        assert self.scene is not None
        return self.scene.background(float(key.partition(":")[2]))

    def sweep(
        self, point: Point, control: Control, most_bytes: int = MOST_BYTES
    ) -> Generator[None, None, Sweep | None]:
        """Compute a sweep, piece by piece; it is the generator's return value.

        It is None where the scene was made anew meanwhile.
        """
        with self.lock:
            scene, epoch = self.scene, self.epoch
            if scene is None:
                return None
            one = scene.frames(self.fit, batched=False)
        weight = one.y.nbytes + one.pixels.nbytes
        grid = control.grid(frames_for(weight, self.seconds, most_bytes))
        pieces: list[Frames] = []
        numbers: list = []
        for start in range(0, len(grid), PIECE):
            values = grid[start : start + PIECE]
            fits, log_priors = self._fits(point, control.element, values)
            each = list(zip(each_fit(fits), log_priors, strict=True))
            numbers += [
                _numbers_of_fit(fit, float(log_prior), point.model.ndim)
                for fit, log_prior in each[: len(values)]
            ]
            with self.lock:
                if self.scene is not scene:
                    return None
                parts = scene.frames(fits, batched=True)
            pieces.append(Frames(*(part[: len(values)] for part in _fields(parts))))
            yield
        together = Frames(*map(np.concatenate, zip(*map(_fields, pieces), strict=True)))
        return Sweep(control, point, epoch, numbers, together)

    def _fits(self, point: Point, element: str, values: np.ndarray) -> tuple:
        """Return the fits and the log priors for values of one element.

        There are always ``PIECE``, so that one program serves.
        """
        model = point.model
        vectors = np.tile(point.vector, (PIECE, 1))
        vectors[:, model.names.index(element)] = np.resize(values, PIECE)
        instances = [model.instance_from_vector(vector) for vector in vectors]
        stacked = jax.tree_util.tree_map(lambda *each: np.stack(each), *instances)
        fits = self.analysis.fits_for_visualization(stacked)
        return fits, np.asarray(_log_priors(model, vectors))


def background_key(epoch: int, limit: float) -> str:
    """Return the name of the background of one scene and one limit."""
    return f"{epoch}:{limit:g}"


def frames_for(
    bytes_each: int, seconds_each: float, most_bytes: int = MOST_BYTES
) -> int:
    """Return how many frames a sweep can have, by what each weighs and takes."""
    for n in COUNTS:
        if n * bytes_each <= most_bytes and n * seconds_each <= MOST_SECONDS:
            return n
    return COUNTS[-1]


def _fields(frames: Frames) -> tuple:
    return frames.limits, frames.y, frames.pixels


@jax.jit
def _log_prior(model: Model, vector: jax.Array) -> jax.Array:
    return model.log_prior(vector)


@jax.jit
def _log_priors(model: Model, vectors: jax.Array) -> jax.Array:
    return jax.vmap(model.log_prior)(vectors)


def _data_differ(one: Any, other: Any) -> bool:
    """Whether what stands still in the picture differs."""
    here, there = fits_in(one), fits_in(other)
    return not all(
        _are_same(_given(here[name], part), _given(there[name], part))
        for name in here
        for part in STILL
    )


def _are_same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)  # as masked data may be NaN


def _given(fit: Any, name: str) -> Any:
    """Return a part of a fit that was given to it; None for what it computes."""
    if isinstance(getattr(type(fit), name, None), property):
        return None
    return getattr(fit, name, None)


def _numbers_of_fit(fit: Any, log_prior: float, ndim: int) -> list[tuple[str, str]]:
    return numbers_of(float(fit.log_likelihood), log_prior, _chi_squared(fit, ndim))


def _chi_squared(fit: Any, ndim: int) -> tuple[float, int] | None:
    """Return chi squared and its degrees of freedom; None where it is not one.

    A fit says by ``is_chi_squared`` whether its sum of squared residuals is
    distributed so. Data that are masked or limits are not in it.
    """
    fits = [one for one in fits_in(fit).values() if hasattr(one, "chi_squared")]
    if not fits or not all(getattr(one, "is_chi_squared", True) for one in fits):
        return None
    return float(fit.chi_squared), sum(map(_number_of_data, fits)) - ndim


def _number_of_data(fit: Any) -> int:
    """Return how many data chi squared is the sum over."""
    used = used_in(fit)
    if getattr(fit, "upper_limit", None) is not None:
        used = used & ~np.asarray(fit.upper_limit)
    return int(np.sum(used))


def numbers_of(
    log_likelihood: float,
    log_prior: float,
    chi_squared: tuple[float, int] | None = None,
) -> list[tuple[str, str]]:
    """Return the numbers below the picture, as name and text."""
    numbers = [
        ("ln likelihood", f"{log_likelihood:.2f}"),
        ("ln prior", f"{log_prior:.2f}"),
    ]
    if chi_squared is not None:
        value, freedom = chi_squared
        numbers.append(
            ("χ² / degrees of freedom", f"{value:.1f} / {freedom}")
            if freedom > 0
            else ("χ²", f"{value:.1f}")
        )
    return numbers
