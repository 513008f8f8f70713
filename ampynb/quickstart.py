"""The quickstart notebook, run in a terminal without a browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["INTERRUPTED", "CommandError", "quickstart"]

TABLE_TAG = "posterior-table"
WIDGET = "application/vnd.jupyter.widget-view+json"
TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
INTERRUPTED = 130  # what a shell returns for a command ended by Ctrl-C
SECONDS_BETWEEN_READS = 0.1


class CommandError(Exception):
    """Something that the user has to mend, in words for the terminal."""


def quickstart(notebook: Path, folder: Path) -> int:
    """Run a notebook, show how it goes, and leave its results in a folder.

    Parameters
    ----------
    notebook : Path
        It is read only; the executed one is written as HTML.
    folder : Path
        The working directory of the run, made if missing.

    Returns
    -------
    int
        0, 1 where a cell has failed, or 130 after Ctrl-C.
    """
    import nbformat

    if not notebook.is_file():
        raise CommandError(f"expected a notebook; got {notebook}, which is no file")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    document = nbformat.read(notebook, as_version=4)
    progress = Progress(document)
    begun = time.time()
    status = _execute(document, folder, progress)
    _write_html(document, folder / f"{notebook.stem}.html")
    if status == 0:
        _print_table(document, progress)
    _print_files(folder, begun, progress)
    return status


class Progress:
    """Says in the terminal where the notebook and its sampler are.

    Parameters
    ----------
    document : NotebookNode
    """

    def __init__(self, document: Any):
        self._sections = _sections(document)
        self._current = "the start"
        self._renderer: Any = None

    def say(self, text: str) -> None:
        """Write lines, above the bar where there is one."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()

    def cell(self, cell_index: int) -> None:
        """Tell which cell begins."""
        number, section = self._sections[cell_index]
        self._current = f"cell {number} of {len(self._sections)}: {section}"
        self.say(self._current)

    def event(self, event: Any) -> None:
        """Show what the sampler has logged."""
        from ampynb.inference.events import Started
        from ampynb.inference.renderers import Lines, ProgressBar

        if isinstance(event, Started):
            terminal = sys.stdout.isatty()
            self._renderer = (ProgressBar if terminal else Lines)(sys.stdout)
            self.say(f"  {event.sampler}: {event.nwalkers} x {event.total} steps")
        if self._renderer is not None:
            self._renderer.show(event)

    def failed(self, why: str) -> None:
        """Tell in which cell and why the run has ended early."""
        colours = why if sys.stdout.isatty() else TERMINAL_COLOURS.sub("", why)
        self.say(f"\nfailed in {self._current}\n{colours}")


def _sections(document: Any) -> dict[int, tuple[int, str]]:
    """Return the number of each code cell and the heading that it stands under."""
    sections: dict[int, tuple[int, str]] = {}
    section = "untitled"
    for index, cell in enumerate(document.cells):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ +(.+?) *$", cell.source, re.MULTILINE)
            section = headings[-1] if headings else section
        elif cell.cell_type == "code" and cell.source.strip():
            sections[index] = len(sections) + 1, section
    return sections


def _execute(document: Any, folder: Path, progress: Progress) -> int:
    """Run all cells in a kernel of this Python, and return the exit status.

    They are run from a thread. This one only waits: an interrupt in the midst of an
    import can be lost, and nbclient's way with one leaves half a kernel behind.
    """
    interrupted = threading.Event()
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(1) as thread:
        log = Path(temporary) / "events.jsonl"
        with following(log, progress.event):
            cells = _run_cells(document, folder, log, progress, interrupted)
            status = thread.submit(asyncio.run, cells)
            try:
                return status.result()
            except KeyboardInterrupt:
                interrupted.set()
                progress.say("\ninterrupted")
                return status.result()


async def _run_cells(
    document: Any,
    folder: Path,
    log: Path,
    progress: Progress,
    interrupted: threading.Event,
) -> int:
    from ampynb.inference.renderers import EVENT_LOG

    def on_cell(cell: Any, cell_index: int) -> None:
        if interrupted.is_set():  # since the kernel's start, which takes no notice
            raise asyncio.CancelledError
        progress.cell(cell_index)

    watching = asyncio.create_task(_cancel_when(interrupted, asyncio.current_task()))
    try:
        client = _client(document, folder, on_cell)
        await client.async_execute(env={**os.environ, EVENT_LOG: str(log)})
    except (Exception, asyncio.CancelledError) as error:
        if interrupted.is_set():
            return INTERRUPTED
        progress.failed(str(error))  # a cell, or the kernel has died
        return 1
    finally:
        watching.cancel()
    return 0


async def _cancel_when(told: threading.Event, task: asyncio.Task[Any] | None) -> None:
    while not told.is_set():
        await asyncio.sleep(SECONDS_BETWEEN_READS)
    if task is not None:
        task.cancel()


def _client(document: Any, folder: Path, on_cell: Callable[..., None]) -> Any:
    """Return what runs the cells, with a kernel of this Python."""
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    client = NotebookClient(
        document,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
        shutdown_kernel="immediate",
        on_cell_execute=on_cell,
    )
    # Without folders to look in, python3 is the interpreter that runs this.
    specs = KernelSpecManager(kernel_dirs=[])
    client.create_kernel_manager().kernel_spec_manager = specs
    return client


@contextmanager
def following(log: Path, show: Callable[[Any], None]) -> Iterator[None]:
    """Show the events in a growing file of JSON lines, from a thread of its own."""
    stopped = threading.Event()

    def follow() -> None:
        rest = ""
        with log.open() as file:
            while True:
                last = stopped.wait(SECONDS_BETWEEN_READS)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    show(_event_from(line))
                if last:
                    return

    log.touch()
    thread = threading.Thread(target=follow, name="ampynb-events", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _event_from(line: str) -> Any:
    from ampynb.inference import events

    fields = json.loads(line)
    return getattr(events, fields.pop("event"))(**fields)


# What is left


def _write_html(document: Any, path: Path) -> None:
    from nbconvert import HTMLExporter

    for cell in document.cells:
        for output in cell.get("outputs", []):
            # Widgets need a kernel; what stands beside them does not.
            if "text/html" in output.get("data", {}):
                output["data"].pop(WIDGET, None)
    html, _ = HTMLExporter().from_notebook_node(document)
    path.write_text(html, encoding="utf-8")


def _print_table(document: Any, progress: Progress) -> None:
    for cell in document.cells:
        if TABLE_TAG in cell.metadata.get("tags", []):
            shown = [output.get("data", {}) for output in cell.get("outputs", [])]
            tables = [data["text/plain"] for data in shown if "text/plain" in data]
            progress.say("\n".join(["\nposterior:", *tables]))


def _print_files(folder: Path, begun: float, progress: Progress) -> None:
    """List what the run has written; the folder may hold other files."""
    from tqdm import tqdm

    clock_step = 2  # seconds, of the coarsest file systems
    progress.say(f"\nwritten to {folder}:")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mtime >= begun - clock_step:
            size = tqdm.format_sizeof(path.stat().st_size, "B")
            progress.say(f"{size:>8}  {path.relative_to(folder)}")
