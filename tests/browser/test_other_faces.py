"""What cells show outside JupyterLab: in Notebook 7 and in Voila."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from interaction import Slider
from jupyter_lab import write_notebook
from test_monitor import SET_UP
from test_sample_views import REPLAY, SHOW
from test_sample_views import SET_UP as SAMPLED

QUICKSTART = Path(__file__).parents[2] / "notebooks/01_quickstart.ipynb"
PIXELS = "[...document.querySelectorAll('canvas')].map(c => c.toDataURL()).join()"
# At the data: with the prior's median the line runs outside the panels, unseen.
EXPLORER = """
explorer = anb.explore(engine.analysis, engine.model)
explorer.set(slope=2.0, intercept=1.0)
explorer
"""


@contextmanager
def opened(lab, place: str, notebook: Path) -> Iterator:
    """Open a notebook at an address of the server, below ``place``."""
    folder = lab.root / f"{place.replace('/', '-')}-{notebook.stem}"
    folder.mkdir()
    (folder / notebook.name).write_text(notebook.read_text())
    page = lab.new_page()
    path = f"{place}/{folder.name}/{notebook.name}"
    url = f"{lab.url}{path}?token={lab.token}"
    page.goto(url, wait_until="domcontentloaded", timeout=300_000)
    yield page
    page.close()


def run_first_cell(page) -> None:
    prompt = page.locator(".jp-InputPrompt").first
    for _ in range(5):  # a notebook that is being opened takes no keys yet
        page.locator(".jp-Cell .cm-content").first.click(timeout=60_000)
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(2000)
        if re.search(r"[\d*]", prompt.inner_text()):
            break
    page.locator("canvas").first.wait_for(timeout=120_000)


def assert_a_slider_moves_the_picture(page) -> None:
    page.locator("canvas").first.wait_for(timeout=120_000)
    page.wait_for_function(f"{PIXELS}.length > 5000")
    slider = Slider(page.locator(".widget-slider").first)
    for move in (lambda: slider.drag(0.7), lambda: slider.press("ArrowRight", 3)):
        begun, value = page.evaluate(PIXELS), slider.value
        move()
        assert slider.value > value
        page.wait_for_function(f"begun => {PIXELS} !== begun", arg=begun)


@pytest.mark.slow
def test_notebook_7_shows_an_explorer_that_lives(lab, tmp_path: Path):
    pytest.importorskip("notebook", reason="no Notebook: pip install ampynb[test]")
    notebook = write_notebook(tmp_path / "explorer.ipynb", [SET_UP + EXPLORER])
    with opened(lab, "notebooks", notebook) as page:
        run_first_cell(page)
        page.screenshot(path=tmp_path / "notebook.png")
        assert_a_slider_moves_the_picture(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "held"),
    [(SHOW, ".ampynb-panes"), (REPLAY, "[aria-label='moment of the run']")],
    ids=["corner", "replay"],
)
def test_notebook_7_leaves_the_arrow_keys_to_samples_and_moments(
    lab, tmp_path: Path, cell, held
):
    from playwright.sync_api import expect

    pytest.importorskip("notebook", reason="no Notebook: pip install ampynb[test]")
    notebook = write_notebook(tmp_path / f"{cell.split()[0]}.ipynb", [SAMPLED + cell])
    with opened(lab, "notebooks", notebook) as page:
        run_first_cell(page)
        title = page.locator(".ampynb-title")
        title.filter(has_text="step").wait_for(timeout=60_000)
        begun = title.inner_text()
        page.locator(held).press("ArrowRight")
        expect(title).not_to_have_text(begun)


@pytest.mark.slow
def test_voila_serves_the_quickstart_with_its_code_hidden(lab, tmp_path: Path):
    pytest.importorskip("voila", reason="no Voila: pip install ampynb[test]")
    with opened(lab, "voila/render", QUICKSTART) as page:
        page.get_by_text("Now you").wait_for(timeout=300_000)
        assert page.get_by_text("mJy").first.is_visible()
        assert not page.get_by_text("import ampynb as anb").count()
        assert_a_slider_moves_the_picture(page)
        page.screenshot(path=tmp_path / "voila.png", full_page=True)
