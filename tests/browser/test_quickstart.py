"""The quickstart, run top to bottom in JupyterLab as a newcomer would."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.fixture(scope="module")
def quickstart(lab):
    page = lab.open(QUICKSTART)
    page.run_all(timeout=300)
    yield page
    page.close()


def test_it_runs_without_error(quickstart, tmp_path):
    assert quickstart.cell_errors() == []
    quickstart.check()
    quickstart.screenshot(tmp_path / "explore.png", cell="explore")


def test_a_slider_changes_the_picture(quickstart):
    slider, picture = quickstart.slider("peak_time"), quickstart.picture("explore")
    before = picture.fingerprint()
    slider.focus()
    slider.press("ArrowRight", 10)
    quickstart.wait_drawn("explorer")
    assert picture.fingerprint() != before
    quickstart.check()


@pytest.mark.parametrize("cell", ["scattered", "ensemble", "nuts-start"])
def test_each_fit_leaves_its_record(quickstart, cell):
    text = quickstart.text(cell)
    assert "completed" in text and "best ln posterior" in text
    assert quickstart.picture(cell).fingerprint()


def test_the_spectral_index_comes_out_near_the_published_one(quickstart):
    beta = float(quickstart.evaluate("float(nuts.median().beta)"))
    assert beta == pytest.approx(0.584, rel=0.03)  # Makhathini et al. 2021


def test_the_samplers_agree_with_each_other(quickstart):
    shift = (
        "float(((ensemble.summary()['mean'] - nuts.summary()['mean'])"
        " / nuts.summary()['sd']).abs().max())"
    )
    assert float(quickstart.evaluate(shift, timeout=30)) < 0.2
