"""Every block of Python in the README, run as cells, also with data of other kinds."""

import re
import time
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
ANALYSIS = "analysis = Line(x, y, yerr=0.5)\n"
FIT = "anb.GaussianFit(data=self.y, noise=self.yerr, model=model)"
SAMPLE = (
    "options = dict(nwalkers=4, iterations=300, burn=300, sampler='nuts')\n"
    "result = anb.InferenceEngine(analysis, model, seed=1).run(**options)\n"
    "result"
)
FRAME = """
import pandas as pd

table = pd.DataFrame({"x": x, "y": y, "yerr": 0.5})
analysis = Line(table.x, table.y, table["yerr"])
"""
QUANTITIES = """
import astropy.units as u

analysis = Line(x, y * u.mJy, yerr=500 * u.uJy)
"""
OTHER_DATA = {
    "integers": {ANALYSIS: "analysis = Line(x, y.round().astype(np.int64), yerr=1)\n"},
    "counts": {
        ANALYSIS: "y = np.random.default_rng(1).poisson(2 * x + 1)\n" + ANALYSIS,
        FIT: "anb.PoissonFit(data=self.y, model=model)",
        "dist.Normal(0, 10)": "dist.HalfNormal(10)",
        "dist.Uniform(-5, 5)": "dist.Uniform(0.1, 5)",
    },
    "DataFrame": {ANALYSIS: FRAME},
    "quantities": {ANALYSIS: QUANTITIES},
}


def with_other(block: str, changes: dict[str, str]) -> str:
    """Return a block with some of its lines replaced, each of which it has."""
    for old, new in changes.items():
        assert old in block, "the README has changed"
        block = block.replace(old, new)
    return block


def assert_nothing_is_red(page) -> None:
    """Raise where a cell, a callback or a widget shows an error."""
    page.check()
    alerts = page.page.locator(".jp-OutputArea [role=alert]").all_inner_texts()
    assert "".join(alerts).strip() == ""


def assert_a_slider_moves_the_picture(page, cell) -> None:
    picture = page.picture(cell)
    before = picture.fingerprint()
    slider = page.outputs(cell).get_by_role("slider").first
    begun = slider.get_attribute("aria-valuetext")
    for _ in range(5):
        slider.press("ArrowRight")
    deadline = time.monotonic() + 30
    while picture.fingerprint() == before:
        told = f"{cell}: from {begun} to {slider.get_attribute('aria-valuetext')}"
        assert time.monotonic() < deadline, told
        page.page.wait_for_timeout(50)


def test_every_block_runs_and_shows_no_error(open_notebook, tmp_path):
    page = open_notebook(BLOCKS)
    page.run_all(timeout=180)
    page.screenshot(tmp_path / "explorer.png", cell=0)
    assert_a_slider_moves_the_picture(page, 0)
    assert_nothing_is_red(page)
    slope = float(page.evaluate("float(result.median().slope)"))
    assert slope == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_the_example_takes_data_of_other_kinds(open_notebook, tmp_path):
    cells = []
    for name, changes in OTHER_DATA.items():
        cells += [(with_other(BLOCKS[0], changes), name), (SAMPLE, f"sample-{name}")]
        cells += [f"assert abs(result.median().slope - 2) < 0.3, {name!r}"]
    page = open_notebook(cells)
    page.run_all(timeout=400)
    for name in OTHER_DATA:
        page.screenshot(tmp_path / f"{name}.png", cell=name)
        assert_a_slider_moves_the_picture(page, name)
        assert "completed" in page.text(f"sample-{name}")
    assert_nothing_is_red(page)
