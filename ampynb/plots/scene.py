"""What moves in a picture of a fit, apart from what stands still.

Matplotlib draws axes, data and all that stands still once, as a transparent PNG. The
model and the residuals are given in pixels of that PNG, by matplotlib's own
transformations, so that others can draw them over it where matplotlib would.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage
from PIL import Image

from ampynb.analysis.panel import Panel
from ampynb.plots.figure import GREY, RENDER_LOCK, NotebookFigure
from ampynb.plots.image import ImagePanels
from ampynb.plots.panels import panels_for

__all__ = ["DPI", "INK", "PAPER", "Frames", "Scene", "encoded", "paint"]

DPI = 100
INK = {False: "#1f2937", True: "#e5e7eb"}
PAPER = {False: "#ffffff", True: "#111827"}
MARGINS = (72, 12, 10, 46)  # left, right, top, bottom [px]


@dataclass(frozen=True)
class Frames:
    """Where the moving parts of one fit are, or of each of a batch.

    Attributes
    ----------
    limits : array, (n,)
        The limit of the residuals, which chooses the background.
    y : array of float32, (n, n_points)
        Ordinates of lines and points, from the top [px].
    pixels : array of uint8, (n, n_pixels)
        Images, as indices into their colour maps.
    """

    limits: np.ndarray
    y: np.ndarray
    pixels: np.ndarray


class Scene:
    """A figure of a fit, split into what moves and what does not.

    Parameters
    ----------
    panel : Panel
    fit : object
        Drawable, as `panels_for` has it.
    width, height : int
        Size in the page [px].
    ratio : float
        Device pixels for each of the page's.
    dark : bool
        Whether it is to be read on dark ground.
    """

    def __init__(
        self,
        panel: Panel,
        fit: Any,
        width: int = 700,
        height: int = 460,
        ratio: float = 1.0,
        dark: bool = False,
    ):
        self.width, self.height, self.ratio, self.dark = width, height, ratio, dark
        size = (width / DPI, height / DPI)
        with RENDER_LOCK:
            self.figure = NotebookFigure(figsize=size, dpi=DPI * ratio)
            self.panels = panels_for(self.figure, panel, fit)
            if self.panels.margins:
                left, right, top, bottom = MARGINS
                self.figure.subplots_adjust(
                    left / width, bottom / height, 1 - right / width, 1 - top / height
                )
            paint(self.figure, dark)
        for artist in self.panels.artists:
            artist.set_animated(True)
        self._backgrounds: dict[float, bytes] = {}
        self._base: Any = None

    def add(self, ghosts: Sequence[Any] = (), bands: Sequence[tuple] = ()) -> None:
        """Add fits to compare with, in grey, and bands of batches of fits.

        A band is a batch and a colour, None for the curve's.

        Images have room for neither.
        """
        if isinstance(self.panels, ImagePanels):
            return
        with RENDER_LOCK:
            for fits, colour in bands:
                self.panels.add_band(fits, colour=colour)
            for ghost in ghosts:
                self.panels.add_ghost(ghost)
        self._base = None
        self._backgrounds.clear()

    def background(self, limit: float) -> bytes:
        """Return all that stands still as a PNG, for one limit of the residuals."""
        if limit not in self._backgrounds:
            with RENDER_LOCK:
                self.panels.rescale(limit)
                self._backgrounds[limit] = encoded(self._draw_still())
        return self._backgrounds[limit]

    def _draw_still(self) -> np.ndarray:
        """Draw what stands still, and of it afresh only what the limit changes."""
        canvas: Any = self.figure.canvas
        changing = self.panels.changing
        if self._base is None:
            for axes in changing:
                axes.set_animated(True)
            canvas.draw()
            self._base = canvas.copy_from_bbox(self.figure.bbox)
            for axes in changing:
                axes.set_animated(False)
        canvas.restore_region(self._base)
        for axes in changing:
            axes.draw(canvas.get_renderer())
        return np.array(canvas.buffer_rgba())

    def picture(self, fit: Any) -> bytes:
        """Return the whole picture of a fit on opaque ground, as a PNG."""
        with RENDER_LOCK:
            self.panels.update(fit)
            self._draw_still()
            for artist in self.panels.artists:
                artist.axes.draw_artist(artist)
            canvas: Any = self.figure.canvas
            whole = Image.fromarray(np.array(canvas.buffer_rgba()))
        ground = Image.new("RGBA", whole.size, PAPER[self.dark])
        return encoded(np.asarray(Image.alpha_composite(ground, whole))[..., :3])

    def frames(self, fits: Any, batched: bool) -> Frames:
        """Return where the moving parts of a fit, or of a batch of fits, are."""
        moving = self.panels.moving(fits)
        limits = np.atleast_1d(self.panels.limits(fits))
        if not batched:
            moving = [(x, y[None]) for x, y in moving]
        n = len(limits)
        points = sum(np.size(x) for x, _ in moving if x is not None)
        y = np.empty((n, points), np.float32)
        pixels = [np.zeros((n, 0), np.uint8)]
        for limit in np.unique(limits):
            rows = limits == limit
            self.panels.rescale(limit)
            y[rows] = self._ordinates(moving, rows)
        for artist, (x, values) in zip(self.panels.artists, moving, strict=True):
            if x is None:
                pixels.append(_indices(artist, values, limits, self.panels))
        return Frames(limits, y, np.concatenate(pixels, axis=1))

    def _ordinates(self, moving: list, rows: np.ndarray) -> np.ndarray:
        found = [np.zeros((rows.sum(), 0))]
        for artist, (x, values) in zip(self.panels.artists, moving, strict=True):
            if x is None:
                continue
            y = np.asarray(values, dtype=float)[rows]
            where = np.stack([np.broadcast_to(x, y.shape), y], axis=-1)
            pixels = artist.axes.transData.transform(where.reshape(-1, 2))[:, 1]
            found.append(self.height - pixels.reshape(y.shape) / self.ratio)
        return np.concatenate(found, axis=1)

    def layout(self, fit: Any) -> dict[str, Any]:
        """Return size, colours and abscissae of the moving parts, as JSON and bytes."""
        with RENDER_LOCK:
            # Positions of axes that keep their aspect are known after a draw.
            self.figure.draw_without_rendering()
            parts = [
                self._part(artist, x)
                for artist, (x, _) in zip(
                    self.panels.artists, self.panels.moving(fit), strict=True
                )
            ]
        return {
            "width": self.width,
            "height": self.height,
            "ratio": self.ratio,
            "parts": parts,
        }

    def _part(self, artist: Any, x: np.ndarray | None) -> dict[str, Any]:
        box = artist.axes.get_window_extent()
        top = self.height - box.y1 / self.ratio
        scaled = (box.x0, top * self.ratio, box.width, box.height)
        part: dict[str, Any] = {"box": [float(side / self.ratio) for side in scaled]}
        if isinstance(artist, AxesImage):
            colours = artist.get_cmap()(np.arange(256), bytes=True)
            upward = artist.origin == "lower"
            shape = list(np.shape(np.asarray(artist.get_array())))
            return {
                "kind": "image",
                **part,
                "shape": shape,
                "upward": upward,
                "colours": colours.tobytes(),
            }
        assert x is not None
        where = np.stack([x, np.ones(np.size(x))], axis=-1)
        pixels = artist.axes.transData.transform(where)[:, 0] / self.ratio
        return {
            **part,
            **_look_of(artist),
            "x": pixels.astype(np.float32).tobytes(),
        }


def _look_of(line: Any) -> dict[str, Any]:
    """Return a line's or its markers' look, sizes in pixels of the page."""
    scale = DPI / 72
    look: dict[str, Any] = {
        "colour": to_hex(line.get_color()),
        "alpha": 1.0 if line.get_alpha() is None else float(line.get_alpha()),
    }
    if line.get_marker() in ("None", "", None):
        return {"kind": "line", **look, "width": line.get_linewidth() * scale}
    across = line.get_markersize() + line.get_markeredgewidth()
    return {"kind": "points", **look, "radius": float(across) * scale / 2}


def _indices(artist: Any, values: Any, limits: np.ndarray, panels: Any) -> np.ndarray:
    """Return images as indices into the artist's colour map, (n, n_pixels)."""
    flat = np.asarray(values, dtype=float).reshape(len(limits), -1)
    scaled = np.asarray(panels.normalised(artist, flat, limits))
    return np.clip(np.nan_to_num(scaled) * 256, 0, 255).astype(np.uint8)


def paint(figure: NotebookFigure, dark: bool) -> None:
    """Let the ground shine through, and make texts readable on it."""
    figure.patch.set_alpha(0.0)
    for text in [text for one in figure.legends for text in one.get_texts()]:
        text.set_color(INK[dark])
    for axes in figure.axes:
        axes.patch.set_alpha(0.0)
        axes.tick_params(which="both", labelcolor=INK[dark], color=GREY)
        texts = [axes.xaxis.label, axes.yaxis.label, axes.title]
        legend = axes.get_legend()
        for text in [*texts, *(legend.get_texts() if legend else ())]:
            text.set_color(INK[dark])
        for spine in axes.spines.values():
            spine.set_edgecolor(GREY)
        for line in axes.get_lines():
            if dark and to_hex(line.get_color()) == "#000000":
                line.set_color(INK[dark])


def encoded(pixels: np.ndarray) -> bytes:
    """Return pixels as a PNG, quickly made."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="png", compress_level=1)
    return stream.getvalue()
