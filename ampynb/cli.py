"""The console command ``ampynb``: the quickstart in JupyterLab, or without a browser.

What only one of the subcommands needs is imported by it, so that help and version
are there at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ampynb import __version__
from ampynb.quickstart import INTERRUPTED, CommandError, quickstart

__all__ = ["can_open_browser", "lab_command", "main"]

NOTEBOOK = "01_quickstart.ipynb"


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
        print("\ninterrupted", file=sys.stderr)
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


if __name__ == "__main__":
    sys.exit(main())
