"""The explorer's machinery: controls, view, and the thread that draws.

Callbacks of widgets note what is wanted, and draw it themselves only where that takes
milliseconds. Else one thread draws the newest point; another one does what is less
urgent, sweeps and the user's own panels. Whoever draws holds a lock from reading the
point to showing its picture, so that no older picture can come after a newer one.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Generator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.inference.run import Run
from ampynb.model.table import describe
from ampynb.plots.image import ImagePanels
from ampynb.widgets.closing import close_all
from ampynb.widgets.code import code_of
from ampynb.widgets.controls import Looks, ParameterControl
from ampynb.widgets.drawing import Drawing, Page
from ampynb.widgets.extra import ExtraPanels
from ampynb.widgets.monitor import RunMonitor
from ampynb.widgets.point import Point, controls_of
from ampynb.widgets.static import static_html
from ampynb.widgets.view import ExplorerView
from ampynb.widgets.worker import Worker

__all__ = ["Board", "weakly"]

SECONDS_AT_ONCE, SECONDS_BEFORE_RECORD = 0.02, 1.0
QUICK, SLOW = ("page", "draw", "asked"), ("sweep", "extra", "record")


def weakly(method: Callable) -> Callable:
    """Return a callback that does not keep the method's object alive.

    Widgets are kept by ipywidgets until they are closed, and so would be whatever
    their callbacks hold.
    """
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any, **keywords: Any) -> Any:
        alive = reference()
        return None if alive is None else alive(*arguments, **keywords)

    return call


class Board:
    """Shows a point: moves the controls to it, and draws it.

    Parameters
    ----------
    analysis : Analysis
    point : Point
    on_move : callable
        Takes the name and the value of an element that the user has moved.
    on_message : callable
        Takes what a button of the view says.
    panels : sequence of callable
        The user's own panels.
    """

    def __init__(
        self,
        analysis: Analysis,
        point: Point,
        on_move: Callable[[str, float], None],
        on_message: Callable[[dict], None],
        panels: Sequence[Callable] = (),
    ):
        self.point = point
        self.drawing = Drawing(analysis)
        self.extra = ExtraPanels(panels) if panels else None
        self._on_message = on_message
        self.closed = False
        self.records: list[Callable[[], None]] = []
        self._seconds = np.inf  # that the last picture took
        self.monitor: RunMonitor | None = None
        self._drawn_epoch = -1
        self._quick = Worker(QUICK, weakly(self.tell))
        self._slow = Worker(SLOW, weakly(self.tell))
        looks = Looks()
        self.controls = {
            control.element: ParameterControl(
                control, point.elements[control.element], on_move, looks
            )
            for control in controls_of(point.given)
        }
        self.view: Any = ExplorerView(controls=self._entries())
        self.view.on_request(weakly(self._receive))
        self._follow(point)
        self.widgets = [self.view, *self.controls.values(), looks]

    def _entries(self) -> list[dict[str, Any]]:
        """Return what the view needs of each parameter, in the table's order."""
        entries: list[dict[str, Any]] = []
        for row, given in self.point.given.entries():
            own = [c for c in self.controls.values() if c.control.parameter == row.name]
            for i, one in enumerate(own):
                entries.append(
                    {
                        "name": one.control.element,
                        "parameter": row.name,
                        "group": one.control.group,
                        "slider": one.slider,
                        "number": one.number,
                        "lock": i == 0,
                    }
                )
            if not own:
                # A value that is fixed and has no slider is an array, and long.
                fixed = row.kind == "fixed"
                held = f"fixed, of {given.shape}" if fixed else describe(row, given)
                group = row.name.rpartition(".")[0]
                text = f"{row.name} {held}"
                entries.append({"name": row.name, "group": group, "text": text})
        return entries

    # Showing

    def show(self, point: Point) -> None:
        """Move the controls to a point and draw it before returning."""
        with self.drawing.lock:
            self.point = point
            if not self.closed:
                self._follow(point)
                self.draw()

    def show_soon(self, point: Point) -> None:
        """Draw a point to which the user has moved the controls; return soon.

        What takes a few milliseconds is done at once: handing it to a thread would
        take as long again.
        """
        self.point = point
        lock = self.drawing.lock
        if self._seconds < SECONDS_AT_ONCE and lock.acquire(blocking=False):
            try:
                self.draw()
            finally:
                lock.release()
        else:
            self._quick.submit("draw", self.draw)

    def _follow(self, point: Point) -> None:
        for name, value in point.elements.items():
            control = self.controls[name]
            if control.value != value:
                control.set(value)
            control.disabled = control.control.parameter in point.fixed
        self.view.fixed = sorted(point.fixed)

    def draw(self) -> None:
        """Draw the newest point, or tell why it cannot be drawn."""
        with self.drawing.lock:
            if self.closed:
                return
            begun = time.perf_counter()
            try:
                self._draw()
                self._seconds = time.perf_counter() - begun
            except Exception as error:  # shown where the user looks
                self.tell(error)
        if self.extra is not None:
            self._slow.submit("extra", self._draw_extra)
        if self.records:
            self._slow.submit("record", self._write_records, SECONDS_BEFORE_RECORD)

    def _draw(self) -> None:
        point, drawing = self.point, self.drawing
        frame = drawing.frame(point)
        layout = None
        if drawing.scene is not None and drawing.epoch != self._drawn_epoch:
            layout = {**drawing.scene.layout(drawing.fit), "epoch": drawing.epoch}
        values = list(point.elements.values())
        with self.view.hold_sync():
            self.view.code = code_of(point)
            self.view.show_frame(frame, values, layout, drawing.background)
        self._drawn_epoch = drawing.epoch

    def _draw_extra(self) -> None:
        assert self.extra is not None
        with self.drawing.lock:
            page, fit = self.drawing.page, self.drawing.fit
        if fit is not None:
            self.view.extra = self.extra.png(fit, page.width, page.ratio, page.dark)

    def soon(self, job: Callable[[], None]) -> None:
        """Do a job in the thread that draws; return at once."""
        self._quick.submit("asked", job)

    def look_at(self, point: Point) -> tuple[Any, dict[str, str]]:
        """Return the fit (or None) and the numbers at a point."""
        with self.drawing.lock:
            fit, numbers = self.drawing.look_at(point)
        return fit, dict(numbers)

    def picture(self) -> bytes:
        """Return the present picture as an opaque PNG; empty where there is none."""
        with self.drawing.lock:
            scene, fit = self.drawing.scene, self.drawing.fit
            return b"" if scene is None or fit is None else scene.picture(fit)

    def record(self, text: str) -> str:
        """Return the present picture and numbers as plain HTML."""
        numbers = dict(self.view.frame.get("numbers", ()))
        return static_html(text, numbers, {"the fit": self.picture()})

    def _write_records(self) -> None:
        for write in self.records:
            write()

    def tell(self, error: Exception) -> None:
        """Show an error in the view."""
        self.view.alert = f"{type(error).__name__}: {error}"

    # What the view asks for

    def _receive(self, content: dict) -> None:
        if content["do"] == "page":
            page = Page(content["width"], content["ratio"], content["dark"])
            self._quick.submit("page", lambda: self._set_page(page))
            self._slow.submit("sweep", self._warm_up)
        elif content["do"] == "sweep":
            name = content["name"]
            self._slow.submit("sweep", lambda: self._sweep(name))
        else:
            self._on_message(content)

    def _set_page(self, page: Page) -> None:
        with self.drawing.lock:
            if page == self.drawing.page:
                return
            self.drawing.page = page
            self.drawing.lay_out()
            self.draw()

    def _warm_up(self) -> Generator[None, None, None] | None:
        """Make the first sweep before it is asked for: it compiles."""
        if self.view.frame.get("key") and self.point.model.ndim:
            return self._sweep(self.point.model.names[0])
        return None

    def compare_with(self, ghosts: list[Any], bands: list[tuple]) -> None:
        """Draw with other fits, in grey, and with bands: batches with their colour."""
        with self.drawing.lock:
            self.drawing.ghosts, self.drawing.bands = ghosts, bands
            self.drawing.lay_out()
            self.draw()

    @property
    def draws_curves(self) -> bool:
        """Whether there are curves, to be compared and shaded."""
        scene = self.drawing.scene
        return scene is not None and not isinstance(scene.panels, ImagePanels)

    def _sweep(self, name: str) -> Generator[None, None, None]:
        """Compute and send a sweep; other work may come between its pieces."""
        point, drawing = self.point, self.drawing
        if name not in point.model.names:
            return
        sweep = yield from drawing.sweep(point, self.controls[name].control)
        if sweep is None:
            return
        with drawing.lock:
            if drawing.epoch != self._drawn_epoch or drawing.epoch != sweep.epoch:
                return
            self.view.send_sweep(sweep, list(point.elements.values()))
        for limit in np.unique(sweep.parts.limits):
            yield
            with drawing.lock:
                scene = drawing.scene
                if scene is None or drawing.epoch != sweep.epoch:
                    return
                png = scene.background(float(limit))
            self.view.send_background(drawing.key(limit), png)

    def wait(self, timeout: float) -> bool:
        """Wait until all is drawn; return whether it was in time."""
        return self._quick.wait(timeout) and self._slow.wait(timeout)

    def show_run(self, run: Run) -> None:
        """Show the monitor of a run below all, in the place of the one before."""
        if self.monitor is not None:
            self.monitor.close()
        self.monitor = RunMonitor(run)
        self.monitor.mimebundle()  # lets it follow the run
        self.view.below = [self.monitor.widget]

    def close(self) -> None:
        """Close the widgets, and let go of figure and fits."""
        self._quick.close()
        self._slow.close()
        if self.monitor is not None:
            self.monitor.close()
        with self.drawing.lock:
            self.closed = True
            close_all(self.widgets)
            self.widgets.clear()
            self.controls = {}
            self.drawing.lay_out()
            self.drawing.fit, self.drawing.ghosts, self.drawing.bands = None, [], []
            # A notebook keeps what a cell has shown; each view has a class of its own.
            self.view = SimpleNamespace(frame={}, background={})
