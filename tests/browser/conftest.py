"""Fixtures of the tests in a real JupyterLab; they are skipped where there is none."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from jupyter_lab import Cell, JupyterLab, NotebookPage, find_chromium, write_notebook

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")
    # last, as Playwright's event loop stays in this thread and asyncio.run() then fails
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """A JupyterLab and its browser, shared by all tests."""
    for module in ("jupyterlab", "playwright.sync_api", "websocket"):
        pytest.importorskip(
            module, reason=f"{module} missing: pip install ampynb[test]"
        )
    if find_chromium() is None:
        pytest.skip("no Chromium found: apt-get install chromium, or put one on PATH")
    with JupyterLab(tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture
def open_notebook(
    lab: JupyterLab, tmp_path: Path
) -> Iterator[Callable[[str | Path | Sequence[Cell]], NotebookPage]]:
    """Open notebooks, given as a path or as code cells, until the test ends."""
    with ExitStack() as pages:

        def open_one(notebook: str | Path | Sequence[Cell]) -> NotebookPage:
            if not isinstance(notebook, str | Path):
                notebook = write_notebook(tmp_path / "made.ipynb", notebook)
            page = lab.open(notebook)
            pages.callback(page.close)
            return page

        yield open_one
