"""The console command ``ampynb``: the quickstart in JupyterLab, or without a browser.

What only one of the subcommands needs is imported by it, so that help and version
are there at once.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ampynb import __version__

__all__ = ["can_open_browser", "lab_command", "main", "quickstart"]

NOTEBOOK = "01_quickstart.ipynb"
TABLE_TAG = "posterior-table"
TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
INTERRUPTED = 130  # what a shell returns for a command ended by Ctrl-C
SECONDS_BETWEEN_READS = 0.1


class CommandError(Exception):
    """Something that the user has to mend, in words for the terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    parser = _parser()
    options = parser.parse_args(given[:cut])
    passed_on = given[cut + 1 :]
    if options.command is None:
        parser.print_help()
        return 0
    try:
        if options.command == "lab":
            return open_lab(options.no_browser, passed_on)
        if passed_on:
            parser.error(f"quickstart passes nothing on: {' '.join(passed_on)}")
        _need("quickstart", "nbclient", "nbconvert", "ipykernel")
        return quickstart(options.notebook or _shipped_notebook(), options.output)
    except CommandError as error:
        print(f"ampynb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ampynb", description="Fit models to data in a notebook."
    )
    parser.add_argument("--version", action="version", version=f"ampynb {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    lab = commands.add_parser(
        "lab",
        help="open the quickstart notebook in JupyterLab",
        usage="ampynb lab [-h] [--no-browser] [-- arguments of JupyterLab]",
    )
    lab.add_argument(
        "--no-browser",
        action="store_true",
        help="print the notebook's address and open no browser; so it is anyway "
        "where there is no display",
    )
    run = commands.add_parser(
        "quickstart", help="run the quickstart notebook here, without a browser"
    )
    run.add_argument(
        "--output",
        type=Path,
        default=Path("quickstart"),
        metavar="FOLDER",
        help="folder for the results, made if missing (default: ./quickstart)",
    )
    run.add_argument("--notebook", type=Path, help=argparse.SUPPRESS)
    return parser


def _need(command: str, *modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"'ampynb {command}' needs {', '.join(missing)}, not installed here; run "
            "pip install 'ampynb[lab]'"
        )


def _shipped_notebook() -> Path:
    """Return where the notebook is: in the installed package, or in the checkout."""
    package = Path(__file__).resolve().parent
    places = [home / "notebooks" / NOTEBOOK for home in (package, package.parent)]
    for place in places:
        if place.is_file():
            return place
    raise CommandError(f"expected the notebook at {' or '.join(map(str, places))}")


# JupyterLab


def open_lab(no_browser: bool, passed_on: Sequence[str]) -> int:
    """Become JupyterLab, opened on the quickstart notebook; does not return."""
    _need("lab", "jupyterlab")
    notebook = _notebook_to_edit(_shipped_notebook(), Path.cwd())
    browser = not no_browser and can_open_browser(sys.platform, os.environ)
    command = lab_command(
        notebook,
        as_root=getattr(os, "geteuid", lambda: 1)() == 0,
        browser=browser,
        passed_on=passed_on,
    )
    where = "a browser opens" if browser else "its address follows"
    print(f"Opening {notebook} in JupyterLab: {where}. Ctrl-C stops it.", flush=True)
    # The kernel of this environment, not one that the user has registered elsewhere.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    os.execv(command[0], command)


def lab_command(
    notebook: Path, *, as_root: bool, browser: bool, passed_on: Sequence[str] = ()
) -> list[str]:
    """Return the command line that opens JupyterLab on a notebook.

    Parameters
    ----------
    notebook : Path
        It is opened in its folder's parent, which JupyterLab then shows.
    as_root : bool
        Whether root starts it, which JupyterLab must be told to allow.
    browser : bool
        Whether JupyterLab is to open a browser.
    passed_on : sequence of str
        Further arguments; one of them may replace one of the defaults.
    """
    folder = notebook.parent
    defaults = {
        "--ServerApp.root_dir": str(folder.parent),
        # The address that JupyterLab opens and prints is the notebook's.
        "--LabApp.default_url": f"/lab/tree/{folder.name}/{notebook.name}",
        "--log-level": "WARN",  # the address is not lost among other lines
    }
    given = {argument.split("=")[0] for argument in passed_on}
    options = [f"{name}={defaults[name]}" for name in defaults if name not in given]
    if as_root and "--allow-root" not in given:
        options.append("--allow-root")
    if not browser and "--no-browser" not in given:
        options.append("--no-browser")
    # -P: a file of the user's here must not hide a module that JupyterLab imports.
    return [sys.executable, "-P", "-m", "jupyterlab", *options, *passed_on]


def can_open_browser(platform: str, environment: Mapping[str, str]) -> bool:
    """Return whether there is a display, or a browser that the user has named."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return platform != "linux" or any(environment.get(name) for name in names)


def _notebook_to_edit(shipped: Path, here: Path) -> Path:
    """Return the checkout's notebook, or a copy of the installed one in ``here``."""
    installed = shipped.parent.parent == Path(__file__).resolve().parent
    if not installed:
        return shipped
    copy = here / "notebooks" / shipped.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped, copy)
    return copy


# Without a browser


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

    def cell(self, cell: Any, cell_index: int) -> None:
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
            steps = event.burn + event.iterations
            self.say(f"  {event.sampler}: {event.nwalkers} x {steps} steps")
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
    """Run all cells in a kernel of this Python, and return the exit status."""
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "events.jsonl"
        with following(log, progress.event):
            return asyncio.run(_run_cells(document, folder, log, progress))


async def _run_cells(document: Any, folder: Path, log: Path, progress: Progress) -> int:
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    client = NotebookClient(
        document,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
        shutdown_kernel="immediate",
        on_cell_execute=progress.cell,
    )
    # Without folders to look in, python3 is the interpreter that runs this.
    specs = KernelSpecManager(kernel_dirs=[])
    client.create_kernel_manager().kernel_spec_manager = specs
    if sys.platform != "win32":
        # It replaces nbclient's handler, which leaves half a kernel behind.
        loop.call_soon(loop.add_signal_handler, signal.SIGINT, task.cancel)
    try:
        await client.async_execute(env={**os.environ, "AMPYNB_EVENT_LOG": str(log)})
    except (CellControlSignal, DeadKernelError, asyncio.CancelledError) as error:
        if task.cancelling():
            progress.say("\ninterrupted")
            return INTERRUPTED
        progress.failed(str(error))
        return 1
    return 0


@contextmanager
def following(log: Path, show: Callable[[Any], None]) -> Iterator[None]:
    """Show the events in a growing file of JSON lines, from a thread of its own."""
    stopped = threading.Event()

    def follow() -> None:
        rest, position = "", 0
        while True:
            last = stopped.wait(SECONDS_BETWEEN_READS)
            if log.exists():
                with log.open() as file:
                    file.seek(position)
                    *lines, rest = (rest + file.read()).split("\n")
                    position = file.tell()
                for line in lines:
                    show(_event_from(line))
            if last:
                return

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
    clock_step = 2  # seconds, of the coarsest file systems
    progress.say(f"\nwritten to {folder}:")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mtime >= begun - clock_step:
            size = _size(path.stat().st_size)
            progress.say(f"  {size}  {path.relative_to(folder)}")


def _size(count: float) -> str:
    unit = "B"
    for larger in ("kB", "MB", "GB"):
        if count < 1000:
            break
        count, unit = count / 1000, larger
    return f"{count:6.3g} {unit:2}"


if __name__ == "__main__":
    sys.exit(main())
