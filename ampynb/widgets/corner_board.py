"""What the corner explorer draws: corner plot, trace, and the fits of samples."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from ampynb.plots.corner import drawable_draws
from ampynb.plots.image import ImagePanels
from ampynb.plots.sample_scene import corner_scene, trace_scene
from ampynb.results.result import Result
from ampynb.widgets.closing import close_all
from ampynb.widgets.corner_view import CornerView, packed_samples
from ampynb.widgets.drawing import Drawing, Page
from ampynb.widgets.point import Point
from ampynb.widgets.samples import Ranges, Samples, share_abscissa

__all__ = ["CornerBoard", "CornerPage", "Region"]

MOST_FITS = 50  # of a region


@dataclass(frozen=True)
class CornerPage:
    """The room there is in the page for the corner plot and for the fit [px]."""

    corner: int = 520
    fit: int = 520
    ratio: float = 1.0
    dark: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Region:
    """The samples inside of ranges.

    Attributes
    ----------
    samples : dict of str to Samples
    ranges : dict of str to (float, float) [model units]
    steps : (float, float), optional
        Of the trace's abscissa.
    inside : dict of str to array of int
        The samples inside, of each result.
    shares : dict of str to float
        The share of all samples' weight that they have, of each result.
    fits : dict of str to array of int
        The samples inside whose fits are drawn.
    """

    samples: Mapping[str, Samples]
    ranges: Ranges
    steps: tuple[float, float] | None
    inside: Mapping[str, np.ndarray]
    shares: Mapping[str, float]
    fits: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        samples: Mapping[str, Samples],
        ranges: Ranges,
        steps: tuple[float, float] | None,
    ) -> Region:
        """Return the region of ranges among the samples of results."""
        inside = {key: one.inside(ranges, steps) for key, one in samples.items()}
        shares = {
            key: float(samples[key].weights[rows].sum()) for key, rows in inside.items()
        }
        fits = {key: samples[key].some(rows, MOST_FITS) for key, rows in inside.items()}
        return cls(samples, ranges, steps, inside, shares, fits)

    def __repr__(self) -> str:
        told = []
        for key, rows in self.inside.items():
            share = f"{100 * self.shares[key]:.3g} %"
            name = f"{key}: " if key else ""
            told.append(
                f"{name}{len(rows)} of {self.samples[key].count_text} inside, {share}"
                + (" of the weight" if self.samples[key].is_weighted else "")
            )
        return "; ".join(told)

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


class CornerBoard:
    """Shows samples of results, and the fits of some.

    Parameters
    ----------
    results : dict of str to Result
    names : sequence of str
        What is shown.
    known : sequence of str
        What can be chosen.
    """

    def __init__(
        self, results: Mapping[str, Result], names: Sequence[str], known: Sequence[str]
    ):
        self.results, self.known = dict(results), list(known)
        self.page = CornerPage()
        self.lock = threading.RLock()
        self.closed = False
        self.view: Any = CornerView()
        self.widgets = [self.view]
        self.drawings = {
            key: Drawing(result.analysis, sampled=result)
            for key, result in results.items()
            if result.has_posterior
        }
        self._points: dict[str, Point] = {}
        self._drawn: tuple[str, int] | None = None  # the result, and its scene
        self._shows = 0
        self._fitted: tuple | None = None
        self.region: Region | None = None
        self.set_names(names)

    # Samples

    def set_names(self, names: Sequence[str]) -> None:
        """Show other parameters."""
        self.names = list(names)
        self.samples = {
            key: Samples(result, names) for key, result in self.results.items()
        }
        self.xlabel = share_abscissa(list(self.samples.values()))
        self.view.parameters = [
            {"name": name, "shown": name in names} for name in self.known
        ]
        self.lay_out()

    def lay_out(self) -> None:
        """Draw corner plot and trace for the page, and let fits be drawn anew."""
        page = self.page
        look = (page.ratio, page.dark)
        labels = next(iter(self.samples.values())).labels
        draws = {
            key: drawable_draws(result.columns(self.names))
            for key, result in self.results.items()
        }
        self.corner: Any = corner_scene(draws, labels, page.corner, *look)
        ranges = [axes.get_xlim() for axes, _, y in self.corner.panels if y is None]
        traces = [one.trace() for one in self.samples.values()]
        self.trace: Any = trace_scene(
            traces, ranges, labels, self.xlabel, page.fit, *look
        )
        for drawing in self.drawings.values():
            drawing.page = Page(page.fit, page.ratio, page.dark)
            drawing.lay_out()
        with self.view.hold_sync():
            self.view.samples = packed_samples(self.samples)
            self.view.corner = self.corner.layout()
            self.view.trace = self.trace.layout()

    # Fits

    def point(self, key: str, index: int) -> Point:
        """Return the point of a sample."""
        vector = self.samples[key].vectors[index]
        if key not in self._points:
            model = self.results[key].model
            instance = model.instance_from_vector(vector)
            self._points[key] = Point.at(model, instance)
        return self._points[key].at_vector(vector)

    def show(self, key: str, index: int, chosen: tuple[str, int]) -> None:
        """Draw the fit of a sample, and mark it and the one that is chosen."""
        samples = self.samples[key]
        values = samples.columns_at(index).tolist()
        self._shows += 1
        more = {
            "count": self._shows,  # the page waits for an answer, also for the same
            "title": f"{key}: {samples.title(index)}" if key else samples.title(index),
            "chosen": self.samples[chosen[0]].columns_at(chosen[1]).tolist(),
            "sample": [list(self.samples).index(key), int(index)],
        }
        numbers = samples.numbers(index)
        drawing = self.drawings.get(key)
        if drawing is None:
            self.view.frame = {"values": values, "numbers": numbers, **more}
            return
        frame = drawing.frame(self.point(key, index))
        frame.numbers[:0] = numbers
        layout = None
        if drawing.scene is None:
            self.view.scene = {}
        elif self._drawn != (key, drawing.epoch):
            layout = {**drawing.scene.layout(drawing.fit), "name": self.scene_name(key)}
        with self.view.hold_sync():
            if layout is not None:
                self.view.background = {}
            background = drawing.background
            self.view.show_frame(frame, values, layout, background, **more)
            self._drawn = (key, drawing.epoch)
            self._show_fits(key)

    def scene_name(self, key: str) -> str:
        """Return a name that is another for each scene of each result."""
        return f"{self.drawings[key].epoch}:{key}"

    def _show_fits(self, key: str) -> None:
        """Draw the fits of the region, of the result whose scene is shown."""
        wanted = (self._drawn, self.region)
        if wanted == self._fitted:
            return
        self._fitted = wanted
        drawing = self.drawings[key]
        rows = np.zeros(0, int) if self.region is None else self.region.fits[key]
        scene = drawing.scene
        if not len(rows) or scene is None or isinstance(scene.panels, ImagePanels):
            self.view.fits = {}
            return
        model = self.results[key].model
        # Always as many, so that one program serves.
        vectors = np.resize(self.samples[key].vectors[rows], (MOST_FITS, model.ndim))
        instances = jax.vmap(model.instance_from_vector)(vectors)
        drawing.check_unchanged()
        fits = drawing.analysis.fits_for_visualization(instances)
        y = scene.frames(fits, batched=True).y[: len(rows)]
        self.view.fits = {
            "n": len(rows),
            "y": np.ascontiguousarray(y, "<f4").tobytes(),
            "scene": self.scene_name(key),
        }

    # Pictures

    def pictures(self, key: str, index: int) -> dict[str, bytes]:
        """Return the present corner plot, the sample marked, and its fit, as PNGs."""
        shown = [one.columns_at(one.shown) for one in self.samples.values()]
        mark = self.samples[key].columns_at(index)
        found = {"the corner plot": self.corner.picture(shown, mark)}
        drawing = self.drawings.get(key)
        if drawing is not None and drawing.scene is not None:
            drawing.check_unchanged()
            fit = drawing.analysis.fit_for_visualization(
                self.point(key, index).instance
            )
            found["the fit of the marked sample"] = drawing.scene.picture(fit)
        return found

    def close(self) -> None:
        """Close the widget, and let go of figures and fits."""
        self.closed = True
        close_all(self.widgets)
        self.widgets.clear()
        for drawing in self.drawings.values():
            drawing.lay_out()
            drawing.fit = None
        self.corner = self.trace = None
        # A notebook keeps what a cell has shown; each view has a class of its own.
        self.view = SimpleNamespace(frame={}, region={}, fits={}, background={})
