"""A corner plot whose samples can be clicked to see the fits they stand for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ampynb.model.table import suggest
from ampynb.plots.corner import corner, names_for
from ampynb.plots.figure import NotebookFigure
from ampynb.results.result import Result
from ampynb.widgets.board import weakly
from ampynb.widgets.cell import take_over
from ampynb.widgets.closing import close_all
from ampynb.widgets.corner_board import CornerBoard, CornerPage, Region
from ampynb.widgets.samples import Ranges
from ampynb.widgets.static import bundle_with_record, static_html
from ampynb.widgets.worker import Worker

__all__ = ["CornerExplorer", "explore_corner"]

SECONDS_BEFORE_RECORD = 1.0
KINDS = ("page", "draw", "region", "save", "record")
FILE = "corner.png"


class CornerExplorer:
    """Samples of results in corner plot and trace, and the fit of the one chosen.

    A fit is drawn through `fit_for_visualization` of the result's analysis. Hovering
    over a sample shows its fit, a click keeps it, a rectangle draws the fits of the
    samples inside; the arrow keys go from sample to sample. All of it has a method.

    Parameters
    ----------
    results : dict of str to Result
    parameters : sequence of str
        Parameters and latent variables to begin with.
    """

    def __init__(self, results: Mapping[str, Result], parameters: Sequence[str]):
        known = list(dict.fromkeys([*names_for(results, None), *parameters]))
        self._board = CornerBoard(results, parameters, known)
        self._board.view.on_request(weakly(self._receive))
        self._worker = Worker(KINDS, weakly(self._tell))
        self._records: list = []
        self._random = np.random.default_rng(0)
        first = next(iter(self._board.samples))
        self._chosen = (first, self._board.samples[first].best)
        self._hovered: tuple[str, int] | None = None
        self._steps = np.zeros(2, int)  # that keys asked for and are not made yet
        self._counting = threading.Lock()
        self._finalizer = weakref.finalize(self, close_all, self._board.widgets)
        self._show()

    # What is shown

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters and latent variables that are shown."""
        return list(self._board.names)

    @property
    def chosen(self) -> tuple[str, int]:
        """The name of the chosen sample's result, and its place among the samples."""
        return self._chosen

    @property
    def vector(self) -> np.ndarray:
        """The parameters of the chosen sample, (ndim,) [model units]."""
        key, index = self._chosen
        return self._board.samples[key].vectors[index]

    @property
    def instance(self) -> Any:
        """The instance of the chosen sample."""
        return self._board.results[self._chosen[0]].model.instance_from_vector(
            self.vector
        )

    @property
    def numbers(self) -> dict[str, str]:
        """Numbers of the sample that is shown, as texts by name."""
        return dict(self._board.view.frame.get("numbers", ()))

    @property
    def region(self) -> Region | None:
        """The samples inside the rectangle, if there is one."""
        return self._board.region

    @property
    def widget(self) -> Any:
        """The widget that is shown."""
        return self._board.view

    # Choosing

    def choose(self, index: int, result: str | None = None) -> None:
        """Choose a sample, and draw its fit.

        Parameters
        ----------
        index : int
            Its place among the result's draws, ``flat_draws``, or among its weighted
            points where it has those.
        result : str, optional
            The name of its result; that of the present sample by default.
        """
        key = self._chosen[0] if result is None else result
        if key not in self._board.samples:
            raise ValueError(suggest(key, list(self._board.samples)))
        most = len(self._board.samples[key]) - 1
        if not 0 <= index <= most:
            raise ValueError(
                f"expected a sample from 0 to {most}; got {index}; correct it"
            )
        self._go((key, int(index)))

    def choose_best(self) -> None:
        """Choose the sample of the present result with the highest log likelihood."""
        key = self._chosen[0]
        self._go((key, self._board.samples[key].best))

    def choose_random(self) -> None:
        """Choose a sample of the present result at random, by the weights."""
        key = self._chosen[0]
        samples = self._board.samples[key]
        self._go((key, int(self._random.choice(len(samples), p=samples.weights))))

    def step(self, steps: int = 1, walkers: int = 0) -> None:
        """Go to another sample: steps later, and walkers further.

        With a region, to the next of the samples whose fits are drawn.
        """
        key, index = self._chosen
        samples, region = self._board.samples[key], self._board.region
        if region is not None and len(drawn := region.fits[key]):
            place = np.searchsorted(drawn, index) + steps + walkers
            self._go((key, int(drawn[place % len(drawn)])))
            return
        row, walker = divmod(index, samples.nwalkers)
        rows = len(samples) // samples.nwalkers
        row = int(np.clip(row + steps, 0, rows - 1))
        walker = (walker + walkers) % samples.nwalkers
        self._go((key, row * samples.nwalkers + walker))

    def select(
        self,
        ranges: Ranges | None = None,
        steps: tuple[float, float] | None = None,
    ) -> Region:
        """Draw the fits of up to 50 of the samples inside of ranges.

        Parameters
        ----------
        ranges : dict of str to (float, float), optional [model units]
            By the name of what is shown.
        steps : (float, float), optional
            Of the abscissa of the trace.

        Returns
        -------
        Region
            Which samples are inside, and their weight.
        """
        board = self._board
        for name in ranges or {}:
            if name not in board.names:
                raise ValueError(suggest(name, board.names))
        if not ranges and steps is None:
            raise ValueError(
                "expected a range of a parameter, or of steps; got none; write "
                f"select({{{board.names[0]!r}: (0.0, 1.0)}})"
            )
        with board.lock:
            region = Region.of(board.samples, dict(ranges or {}), steps)
            board.region = region
            key, index = self._chosen
            if index not in region.inside[key]:
                found = [
                    (k, int(rows[0])) for k, rows in region.fits.items() if len(rows)
                ]
                self._chosen = next(iter(found), self._chosen)
            self._show()
        return region

    def clear(self) -> None:
        """Forget the region."""
        with self._board.lock:
            self._board.region = None
            self._show()

    def show(self, *parameters: str) -> None:
        """Show these parameters and latent variables, in this order."""
        board = self._board
        names = names_for(board.results, parameters)
        with board.lock:
            if not board.closed:
                board.region = None
                board.known += [name for name in names if name not in board.known]
                board.set_names(names)
                self._show()

    def _toggle(self, name: str) -> None:
        """Show a parameter, or leave it out; the last one stays."""
        shown = set(self.parameters) ^ {name}
        self.show(*[one for one in self._board.known if one in shown] or [name])

    def _go(self, sample: tuple[str, int]) -> None:
        with self._board.lock:
            self._chosen, self._hovered = sample, None
            self._show()

    def _show(self) -> None:
        board = self._board
        with board.lock:
            if board.closed:
                return
            try:
                board.show(*(self._hovered or self._chosen), self._chosen)
            except Exception as error:  # shown where the user looks
                self._tell(error)
            region = board.region
            board.view.region = {} if region is None else _packed(region, board.names)
            board.view.buttons = _buttons(region is not None)
        if self._records:
            self._worker.submit("record", self._write_records, SECONDS_BEFORE_RECORD)

    def _tell(self, error: Exception) -> None:
        self._board.view.alert = f"{type(error).__name__}: {error}"

    # What the view asks for

    def _receive(self, content: dict) -> None:
        """Do what the page says, in a thread: the newest of each kind."""
        do = content["do"]
        if do == "step":  # each of them counts
            with self._counting:
                self._steps += content["steps"], content["walkers"]
        kinds = {"page": "page", "parameter": "page", "region": "region"}
        kind = "save" if do == "save" else kinds.get(do, "draw")
        self._worker.submit(kind, lambda: self._press(content))

    def _press(self, content: dict) -> None:
        names = list(self._board.samples)
        do = content["do"]
        actions = {
            "page": lambda: self._set_page(content),
            "hover": lambda: self._hover((names[content["of"]], content["n"])),
            "leave": lambda: self._hover(None),
            "choose": lambda: self.choose(content["n"], names[content["of"]]),
            "step": self._step,
            "region": lambda: self._select(content["ranges"]),
            "parameter": lambda: self._toggle(content["name"]),
            "best": self.choose_best,
            "random": self.choose_random,
            "clear": self.clear,
            "save": lambda: self.widget.send_file(FILE, self.figure()._repr_png_()),
        }
        if do not in actions:
            raise ValueError(f"expected one of {', '.join(actions)}; got {do!r}")
        actions[do]()

    def _set_page(self, content: dict) -> None:
        sizes = (content["corner"], content["fit"])
        page = CornerPage(*sizes, content["ratio"], content["dark"])
        with self._board.lock:
            if page != self._board.page and not self._board.closed:
                self._board.page = page
                self._board.lay_out()
                self._show()

    def _hover(self, sample: tuple[str, int] | None) -> None:
        with self._board.lock:
            self._hovered = sample
            self._show()

    def _step(self) -> None:
        """Go as many samples as the keys that were pressed since say."""
        with self._counting:
            steps, self._steps = self._steps, np.zeros(2, int)
        if steps.any():
            self.step(*steps.tolist())

    def _select(self, by_column: list) -> None:
        """Select by columns of the samples; the one after them is the abscissa."""
        names = self._board.names
        edges = {i: (low, high) for i, low, high in by_column}
        steps = edges.pop(len(names), None)
        self.select({names[i]: ends for i, ends in edges.items()}, steps)

    # Pictures

    def figure(self, **options: Any) -> NotebookFigure:
        """Return the corner plot of what is shown, for print; see `ampynb.corner`."""
        board = self._board
        return corner(board.results, board.names, **options)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the corner plot to a file, whose ending says in which format."""
        path = Path(path)
        self.figure(**options).savefig(path, bbox_inches="tight", dpi=200)
        return path

    # Being there

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all that was asked for is drawn; return whether it was in time."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """Close the widget, and let go of its figures."""
        self._worker.close()
        with self._board.lock:
            self._board.close()
        self._finalizer.detach()

    # Views

    def __repr__(self) -> str:
        key, index = self._chosen
        samples = self._board.samples[key]
        values = ", ".join(f"{name}={text}" for name, text in samples.numbers(index))
        of = f"{key}, " if key else ""
        return f"CornerExplorer({of}{samples.title(index)}: {values})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        if self._board.closed:
            return {"text/plain": repr(self)}
        record = weakly(self._record)
        return bundle_with_record(
            self.widget, repr(self), record, self._records, **kwargs
        )

    def _record(self) -> str | None:
        with self._board.lock:
            if self._board.closed:
                return None
            pictures = self._board.pictures(*self._chosen)
            return static_html(repr(self), self.numbers, pictures)

    def _write_records(self) -> None:
        for write in self._records:
            write()


def _packed(region: Region, names: Sequence[str]) -> dict[str, Any]:
    ranges = [[names.index(name), *edges] for name, edges in region.ranges.items()]
    if region.steps is not None:
        ranges.append([len(names), *region.steps])
    return {"text": repr(region), "ranges": ranges}


def _buttons(selected: bool) -> list[dict[str, Any]]:
    said = [
        ("best", "Best sample", "choose the one with the highest log likelihood", True),
        ("random", "Random sample", "choose one at random", True),
        ("clear", "Clear region", "forget the rectangle and its fits", selected),
        ("save", "Save corner plot", f"keep the corner plot as {FILE}", True),
    ]
    keys = ("do", "text", "title")
    return [
        {**dict(zip(keys, one, strict=False)), "disabled": not one[3]} for one in said
    ]


def explore_corner(
    results: Mapping[str, Result], parameters: Sequence[str]
) -> CornerExplorer:
    """Return the corner explorer of results; the one that the cell made is closed."""
    explorer = CornerExplorer(results, parameters)
    take_over(explorer)
    return explorer
