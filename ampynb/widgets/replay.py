"""A slider over a finished run: where its points were, and the fit as it was."""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from PIL import Image

from ampynb.model.table import suggest
from ampynb.plots.figure import NotebookFigure, padded_range
from ampynb.plots.sample_scene import scatter_scene
from ampynb.results.columns import Columns
from ampynb.results.result import Result
from ampynb.widgets.board import weakly
from ampynb.widgets.cell import take_over
from ampynb.widgets.closing import close_all
from ampynb.widgets.drawing import PIECE, Drawing, Page, frames_for
from ampynb.widgets.point import Point
from ampynb.widgets.replay_view import ReplayView, packed_points
from ampynb.widgets.static import bundle_with_record, static_html
from ampynb.widgets.timeline import Moment, temperatures_of, timeline
from ampynb.widgets.view import packed_parts
from ampynb.widgets.worker import Worker

__all__ = ["Replay", "replay"]

MOMENTS = 61
FITS = ("best", "median")
SECONDS_BEFORE_RECORD = 1.0
MOST_DRAWS = 1500  # of the result, in grey
WIDTH = 520


class Replay:
    """A run again, moment by moment, in corner plot and fit.

    Walkers are shown over their last few steps, the burn-in included; nested points by
    the prior volume that is left. Grey is the result. The fits, through
    `fit_for_visualization`, are that of the best point so far and that of the median
    of the points.

    Parameters
    ----------
    result : Result
    parameters : sequence of str, optional
        Those that are shown; all by default.
    """

    def __init__(self, result: Result, parameters: Sequence[str] | str | None = None):
        table = result.table
        chosen = [parameters] if isinstance(parameters, str) else parameters
        self.parameters = list(table.names if chosen is None else chosen)
        for name in self.parameters:
            if name not in table.names:
                raise ValueError(suggest(name, table.names))
        if not self.parameters:
            raise ValueError(
                f"expected parameters to show, of {', '.join(table.names)}; got none; "
                "leave them out for all"
            )
        self.result = result
        self._columns = [table.names.index(name) for name in self.parameters]
        self._pages = {"scatter": WIDTH, "fit": WIDTH, "ratio": 1.0, "dark": False}
        self._lock = threading.RLock()
        self._records: list = []
        self._drawing = (
            Drawing(result.analysis, sampled=result) if result.has_posterior else None
        )
        self._count = MOMENTS
        self.view: Any = ReplayView()
        self._widgets = [self.view]
        self._worker = Worker(("page", "temperature", "record"), weakly(self._tell))
        self._finalizer = weakref.finalize(self, close_all, self._widgets)
        self.view.temperatures = [f"{one:.3g}" for one in temperatures_of(result)]
        self._load(0)
        self.view.observe(weakly(self._moved), ["position", "fit"])
        self.view.observe(weakly(self._heated), "temperature")
        self.view.on_request(weakly(self._receive))

    # What is shown

    @property
    def position(self) -> int:
        """Which of the moments is shown."""
        return self.view.position

    @property
    def moment(self) -> Moment:
        """The moment that is shown."""
        return self.moments[self.position]

    @property
    def widget(self) -> Any:
        """The widget that is shown."""
        return self.view

    @property
    def numbers(self) -> dict[str, str]:
        """Numbers of the moment, as texts by name."""
        return dict(self._numbers(self.moment))

    def go(self, position: int) -> None:
        """Go to a moment, from 0 to the last; -1 is the last."""
        count = len(self.moments)
        if not -count <= position < count:
            raise ValueError(
                f"expected a moment from 0 to {count - 1}; got {position}; correct it"
            )
        self.view.position = position % count

    def show_fit(self, of: str) -> None:
        """Draw the fit of the ``"best"`` point, or of the ``"median"``."""
        if of not in FITS:
            raise ValueError(f"expected one of {', '.join(FITS)}; got {of!r}")
        self.view.fit = of

    def set_temperature(self, place: int) -> None:
        """Show the walkers of another temperature, where they were kept.

        Parameters
        ----------
        place : int
            0 is the coldest.
        """
        count = len(self.view.temperatures)
        if not 0 <= place < count:
            raise ValueError(
                f"expected a temperature from 0 to {count - 1}; got {place}; run with "
                "anb.Tempered(keep_temperatures=True) to keep the hotter walkers"
            )
        self.view.temperature = place
        self._worker.wait()

    # Making it

    def _load(self, temperature: int) -> None:
        """Read the run at a temperature, and draw all its moments."""
        with self._lock:
            drawing = self._drawing
            if drawing is not None:
                frame = drawing.frame(self._point(self.result.best.position))
                if frame.parts is not None:
                    weight = frame.parts.y.nbytes + frame.parts.pixels.nbytes
                    most = frames_for(2 * weight, 2 * drawing.seconds)
                    self._count = min(MOMENTS, most)
            self.moments = timeline(self.result, self._count, temperature)
            self._fits = {of: self._fits_of(of) for of in FITS}
            self._draw()

    def _point(self, vector: np.ndarray) -> Point:
        model = self.result.model
        return Point.at(model, model.instance_from_vector(vector))

    def _fits_of(self, of: str) -> list[tuple[int, Any]]:
        """Return the fits of all moments in batches, each with its length."""
        if self._drawing is None or self._drawing.scene is None:
            return []
        self._drawing.check_unchanged()
        model, analysis = self.result.model, self.result.analysis
        vectors = np.stack([getattr(moment, of) for moment in self.moments])
        found = []
        for start in range(0, len(vectors), PIECE):
            some = vectors[start : start + PIECE]
            batch = np.resize(some, (PIECE, model.ndim))  # one program serves all
            instances = jax.vmap(model.instance_from_vector)(batch)
            found.append((len(some), analysis.fits_for_visualization(instances)))
        return found

    def _draw(self) -> None:
        page, columns = self._pages, self._columns
        table = Columns.of(self.result.table, self.result.draws).choose(self.parameters)
        draws = table.flat[:: -(-len(table.flat) // MOST_DRAWS)]
        points = np.concatenate([moment.points for moment in self.moments])[:, columns]
        self.scatter: Any = scatter_scene(
            _ranges(points, draws),
            table.axis_labels,
            draws,
            page["scatter"],
            page["ratio"],
            page["dark"],
        )
        with self.view.hold_sync():
            self.view.scatter = self.scatter.layout()
            self.view.points = packed_points(self.moments, columns, page["dark"])
            self.view.moments = [
                {"title": moment.title, "numbers": self._numbers(moment)}
                for moment in self.moments
            ]
            self.view.position = min(self.view.position, len(self.moments) - 1)
            self._draw_fits()

    def _draw_fits(self) -> None:
        drawing, page = self._drawing, self._pages
        if drawing is None or drawing.scene is None:
            return
        drawing.page = Page(page["fit"], page["ratio"], page["dark"])
        drawing.lay_out()
        drawing.frame(self._point(self.result.best.position))
        scene: Any = drawing.scene
        packed, keys = {}, set()
        for of, pieces in self._fits.items():
            parts = [scene.frames(fits, batched=True) for _, fits in pieces]
            counts = [count for count, _ in pieces]
            each: dict[str, Any] = {
                name: b"".join(
                    packed_parts(_first(part, count))[name]
                    for part, count in zip(parts, counts, strict=True)
                )
                for name in ("y", "pixels")
            }
            limits = np.concatenate(
                [part.limits[:n] for part, n in zip(parts, counts, strict=True)]
            )
            each["keys"] = [drawing.key(limit) for limit in limits]
            keys |= set(each["keys"])
            packed[of] = each
        self.view.scene = {**scene.layout(drawing.fit), "name": drawing.epoch}
        self.view.backgrounds = {key: drawing.background(key) for key in sorted(keys)}
        self.view.fits = packed

    def _numbers(self, moment: Moment) -> list[tuple[str, str]]:
        units = dict(zip(self.result.table.names, self.result.table.units, strict=True))
        each = [("best ln likelihood", f"{moment.log_likelihood:.2f}")]
        for name, column in zip(self.parameters, self._columns, strict=True):
            values = moment.points[:, column]
            text = f"{np.median(values):.4g} ± {np.std(values):.2g} {units[name]}"
            each.append((name, text.rstrip()))
        return each

    # What the view asks for

    def _moved(self, change: Any) -> None:
        if self._records:
            self._worker.submit("record", self._write_records, SECONDS_BEFORE_RECORD)

    def _heated(self, change: Any) -> None:
        self._worker.submit("temperature", lambda: self._load(change["new"]))

    def _receive(self, content: dict) -> None:
        page = {name: content[name] for name in self._pages}
        self._worker.submit("page", lambda: self._set_page(page))

    def _set_page(self, page: dict) -> None:
        with self._lock:
            if page != self._pages and self._widgets:
                self._pages = page
                self._draw()

    def _tell(self, error: Exception) -> None:
        self.view.alert = f"{type(error).__name__}: {error}"

    # Pictures

    def pictures(self) -> dict[str, bytes]:
        """Return the present moment as PNGs: its points, and its fit."""
        with self._lock:
            moment, of = self.moment, self.view.fit
            points = moment.points[:, self._columns]
            mark = getattr(moment, of)[self._columns]
            picture = self.scatter.picture([points], mark, histograms=True)
            found = {"the points of the moment": picture}
            drawing = self._drawing
            if drawing is not None and drawing.scene is not None:
                drawing.check_unchanged()
                instance = self.result.model.instance_from_vector(getattr(moment, of))
                fit = self.result.analysis.fit_for_visualization(instance)
                found[f"the fit of the {of}"] = drawing.scene.picture(fit)
            return found

    def figure(self) -> NotebookFigure:
        """Return the present moment as one figure."""
        images = [
            np.asarray(Image.open(io.BytesIO(p))) for p in self.pictures().values()
        ]
        figure = NotebookFigure(figsize=(5.5 * len(images), 5.5))
        grid = figure.subplots(1, len(images), squeeze=False)[0]
        for axes, image in zip(grid, images, strict=True):
            axes.imshow(image)
            axes.set_axis_off()
        figure.suptitle(self.moment.title)
        return figure

    # Being there

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all that was asked for is drawn; return whether it was in time."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """Close the widget, and let go of figures and fits."""
        self._worker.close()
        with self._lock:
            close_all(self._widgets)
            self._widgets.clear()
            self._fits, self.scatter = {}, None
            if self._drawing is not None:
                self._drawing.lay_out()
                self._drawing.fit = None
        self._finalizer.detach()

    # Views

    def __repr__(self) -> str:
        algorithm = self.result.algorithm.name
        place = f"moment {self.position + 1} of {len(self.moments)}"
        return f"Replay({algorithm}, {place}: {self.moment.title})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        if not self._widgets:
            return {"text/plain": repr(self)}
        record = weakly(self._record)
        return bundle_with_record(
            self.view, repr(self), record, self._records, **kwargs
        )

    def _record(self) -> str | None:
        with self._lock:
            if not self._widgets:
                return None
            return static_html(repr(self), self.numbers, self.pictures())

    def _write_records(self) -> None:
        for write in self._records:
            write()


def _first(parts: Any, count: int) -> Any:
    return type(parts)(parts.limits[:count], parts.y[:count], parts.pixels[:count])


def _ranges(points: np.ndarray, draws: np.ndarray) -> list[tuple[float, float]]:
    """Return ranges that hold all draws, and nearly all points of all moments."""
    edges = np.quantile(points, (0.002, 0.998), axis=0)
    low = np.minimum(edges[0], draws.min(axis=0))
    high = np.maximum(edges[1], draws.max(axis=0))
    return list(zip(*padded_range(low, high, 0.03), strict=True))


def replay(result: Result, parameters: Any = None) -> Replay:
    """Return the replay of a result; the one that the cell made before is closed."""
    made = Replay(result, parameters)
    take_over(made)
    return made
