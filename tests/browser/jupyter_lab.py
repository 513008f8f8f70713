"""Drive notebooks in a real JupyterLab, in a real headless Chromium.

Playwright is imported where it is used, so that a test module which imports this one
can be collected, and skipped, without it.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interaction import Picture, Slider

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",  # for interaction.flood
)
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    # cells out of view stay in the page
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
# The end of standard input tells that the parent has closed it, or has died.
SERVER = """
import os, runpy, signal, threading

def stop_with_parent():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop_with_parent, daemon=True).start()
runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
"""
LATE = "[anywidget] Failed to initialize model."
TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Cell = str | tuple[str, str]
"""The source of a code cell, or its source and a tag."""


def find_chromium() -> str | None:
    """Return the path of the Chromium on ``PATH``, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class JupyterLab:
    """A private JupyterLab server and a headless browser, as a context manager.

    Parameters
    ----------
    folder
        An empty temporary folder; all that server and browser write goes there.
    environment
        Environment variables added for the server, and so for the kernels.
    browser
        That of another one, which may be shared; a new one by default.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        browser: "BrowserContext | None" = None,
    ):
        self.folder = folder
        self.root = folder / "root"
        self.profile = folder / "profile"
        self.url = ""
        self._environment = dict(environment or {})
        self._shared = browser
        self.token = secrets.token_hex(16)
        self._opened = 0

    def __enter__(self) -> "JupyterLab":
        with ExitStack() as stack:
            self._start_server(stack)
            self.browser = self._shared or self._start_browser(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, notebook: str | Path, url: str = "") -> "NotebookPage":
        """Open a copy of a notebook, in a folder and a page of its own.

        Parameters
        ----------
        url
            Another address of the server, as of a proxy before it.
        """
        self._opened += 1
        path = Path(str(self._opened), Path(notebook).name)
        (self.root / path).parent.mkdir()
        shutil.copy(notebook, self.root / path)
        url = f"{url or self.url}lab/workspaces/{self._opened}/tree/{path.as_posix()}"
        page = self.browser.new_page()
        opened = NotebookPage(self, page, path)
        try:
            page.goto(f"{url}?token={self.token}", wait_until="domcontentloaded")
            opened.wait_open()
        except BaseException:
            page.close()
            raise
        return opened

    def new_page(self) -> "Page":
        """Return an empty page of the browser."""
        return self.browser.new_page()

    def _start_server(self, stack: ExitStack) -> None:
        overrides = self.folder / "config/labconfig/default_setting_overrides.json"
        for needed in (overrides.parent, self.root):
            needed.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS))
        log = stack.enter_context((self.folder / "server.log").open("wb"))
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *self._server_options()],
            cwd=self.root,
            env={**os.environ, **self._server_environment()},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_stop_server, server)
        self.url = self._await_server(server, timeout=60)

    def _server_options(self) -> list[str]:
        return [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
        ]

    def _server_environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        places = {name: str(self.folder / place) for name, place in folders.items()}
        return {"JUPYTER_PREFER_ENV_PATH": "1", **places, **self._environment}

    def _await_server(self, server: subprocess.Popen[bytes], timeout: float) -> str:
        """Return the address that the server writes down when it listens."""
        information = self.folder / "runtime" / f"jpserver-{server.pid}.json"
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and server.poll() is None:
            try:
                return json.loads(information.read_text())["url"]
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.05)
        log = (self.folder / "server.log").read_text(errors="replace")
        raise RuntimeError(f"JupyterLab did not start; its log ends:\n{log[-3000:]}")

    def _start_browser(self, stack: ExitStack) -> "BrowserContext":
        from playwright.sync_api import sync_playwright

        chromium = find_chromium()
        if chromium is None:
            raise RuntimeError("no Chromium found on PATH")
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch_persistent_context(
            self.profile,
            executable_path=chromium,
            args=BROWSER_FLAGS,
            viewport={"width": 1400, "height": 1100},
        )
        stack.callback(browser.close)
        browser.add_init_script(path=Path(__file__).with_name("probe.js"))
        return browser


def _stop_server(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class NotebookPage:
    """One notebook, open in its own page.

    A cell is named by its index or by one of its tags. All times are in seconds.

    Parameters
    ----------
    lab
        The server and browser.
    page
        The Playwright page, for all that has no method here.
    path
        The notebook's path below the server's root.

    Attributes
    ----------
    late_widgets : int
        How many widgets anywidget gave up as they took more than two seconds to load.
        No errors, as ours live with it; those that a message came for are not counted.
    """

    def __init__(self, lab: JupyterLab, page: "Page", path: Path):
        self.lab = lab
        self.page = page
        self.path = path
        self.late_widgets = 0
        self._script_errors: list[str] = []
        page.on("pageerror", self._note_script_error)

    def _note_script_error(self, error: Exception) -> None:
        if str(error) == LATE:
            self.late_widgets += 1
        else:
            self._script_errors.append(str(error))

    def wait_open(self, timeout: float = 60) -> None:
        """Wait for notebook and kernel; then begin to note the kernel's messages."""
        self._wait("until", timeout, "opening", self.path.as_posix())
        self._probe("attach")

    def run_all(self, timeout: float = 60) -> None:
        """Run all cells and wait until idle; does not raise their errors."""
        self.start_all()
        self.wait_idle(timeout)

    def start_all(self) -> None:
        """Start all cells and return at once."""
        self._probe("run", "notebook:run-all-cells", None)

    def run_cell(self, cell: int | str, timeout: float = 60) -> None:
        """Run one cell and wait until idle; does not raise its errors."""
        self.start_cell(cell)
        self.wait_idle(timeout)

    def start_cell(self, cell: int | str) -> None:
        """Start one cell and return at once."""
        self._probe("run", "notebook:run-cell", self._index(cell))

    def interrupt(self) -> None:
        """Press the notebook's button that interrupts the kernel."""
        self._probe("run", "notebook:interrupt-kernel", None)

    def run_again(self, cell: int | str, times: int) -> None:
        """Run one cell many times, each as soon as the kernel is done with the last."""
        self._probe("runAgain", self._index(cell), times)
        self.wait_idle()

    def wait_idle(self, timeout: float = 30, quiet: float = 0.1) -> None:
        """Wait until no request is open and no message has come for a `quiet` while.

        What has come by then is painted. A background thread in the kernel counts as
        idle when it sends nothing so long: see `wait_drawn`.
        """
        self._wait("settled", timeout, quiet * 1000)

    def wait_drawn(self, *explorers: str, timeout: float = 60) -> None:
        """Wait until explorers have drawn all that they were asked for, and it is seen.

        Parameters
        ----------
        *explorers
            Their names in the kernel: they draw in threads, which may take any time.
        """
        self.wait_idle(timeout)  # until it has heard of the last move
        for name in explorers:
            self.execute(f"assert {name}.wait({timeout})", timeout + 10)
        self.wait_idle(timeout)

    def wait_painted(self) -> None:
        """Wait until the page shows what it has been given so far."""
        self._probe("painted")

    def cell_errors(self) -> list[str]:
        """Return the errors that stand in the notebook's outputs now."""
        return [TERMINAL_COLOURS.sub("", text) for text in self._probe("cellErrors")]

    def callback_errors(self) -> list[str]:
        """Return the errors that the kernel has sent and that made no cell fail.

        They come from callbacks, threads and output widgets, and leave no trace in the
        outputs of the cells.
        """
        errors = self._probe("callbackErrors")
        return [TERMINAL_COLOURS.sub("", text) for text in errors]

    def check(self) -> None:
        """Raise ``AssertionError`` if a cell, a callback or a page script failed."""
        errors = [
            *self.cell_errors(),
            *(f"in a callback: {text}" for text in self.callback_errors()),
            *(f"in the page: {text}" for text in self._script_errors),
        ]
        if errors:
            raise AssertionError("\n\n".join([f"{self.path.name} has failed", *errors]))

    def evaluate(self, expression: str, timeout: float = 10) -> str:
        """Return the repr of an expression in the kernel, once no cell runs."""
        result = self._probe("evaluate", expression, timeout * 1000)
        if result is None:
            raise TimeoutError(f"{expression!r} was not evaluated within {timeout} s")
        if result["status"] != "ok":
            raise RuntimeError(f"{expression!r}: {result['ename']}: {result['evalue']}")
        return result["data"]["text/plain"]

    def execute(self, code: str, timeout: float = 10) -> None:
        """Execute statements in the kernel; they leave no trace in the notebook."""
        self.evaluate(f"exec({code!r}, globals())", timeout)

    def outputs(self, cell: int | str) -> "Locator":
        """Return the output area of a cell."""
        cells = self.page.locator(".jp-Notebook .jp-Cell")
        return cells.nth(self._index(cell)).locator(".jp-Cell-outputArea")

    def text(self, cell: int | str) -> str:
        """Return the text that a cell's outputs show."""
        shown = "> .jp-OutputArea-child > .jp-OutputArea-output"  # without the prompts
        return "\n".join(self.outputs(cell).locator(shown).all_inner_texts())

    def button(self, name: str) -> "Locator":
        """Return the button with exactly this text."""
        buttons = self.page.locator(".jp-OutputArea").get_by_role("button")
        return buttons.filter(has_text=_exactly(name))

    def slider(self, description: str, nth: int = 0) -> Slider:
        """Return the slider widget with exactly this description."""
        label = self.page.locator(".widget-label").filter(
            has_text=_exactly(description)
        )
        return Slider(self.page.locator(".widget-slider").filter(has=label).nth(nth))

    def picture(self, cell: int | str, nth: int = 0) -> Picture:
        """Return an image or canvas that a cell shows."""
        return Picture(self.outputs(cell), nth)

    def screenshot(self, path: Path, cell: int | str | None = None) -> None:
        """Save a picture of the window, or of one cell's outputs."""
        (self.page if cell is None else self.outputs(cell)).screenshot(path=path)

    def save(self) -> dict[str, Any]:
        """Save the notebook and return its JSON."""
        self._probe("save")
        return json.loads((self.lab.root / self.path).read_text(encoding="utf-8"))

    def close(self) -> None:
        """End the kernel and close the page, unless that was done."""
        if self.page.is_closed():
            return
        try:
            self._probe("shutDown")
        finally:
            self.page.close()

    def _index(self, cell: int | str) -> int:
        index = cell if isinstance(cell, int) else self._probe("findTag", cell)
        if index < 0:
            raise LookupError(f"{self.path.name}: no cell has the tag {cell!r}")
        return index

    def _probe(self, function: str, *arguments: object) -> Any:
        script = f"(arguments_) => probe.{function}(...arguments_)"
        return self.page.evaluate(script, arguments)

    def _wait(self, function: str, timeout: float, *arguments: object) -> None:
        awaited = self._probe(function, *arguments, timeout * 1000)
        if awaited:
            raise TimeoutError(f"{self.path.name}: waited {timeout} s for {awaited}")


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{re.escape(text)}\s*$")


def write_notebook(path: Path, cells: Sequence[Cell]) -> Path:
    """Write a notebook of code cells and return its path."""
    import nbformat

    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    for cell in cells:
        source, *tags = (cell,) if isinstance(cell, str) else cell
        metadata = {"tags": tags}
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata=metadata))
    nbformat.write(notebook, path)
    return path
