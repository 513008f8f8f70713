"""A saved page: sliders that work with neither a kernel nor a network."""

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from tests.helpers import Line, NumpyLine


@pytest.fixture
def explorer():
    x = np.linspace(0.0, 2.0, 30)
    model = anb.Model(
        slope=anb.Parameter(dist.LogUniform(0.1, 10.0), unit="mJy/d"),
        intercept=dist.Normal(0.0, 1.0),
        x0=3.0,
    )
    explorer = anb.explore(Line(x, 1.5 * x - 0.5, np.full(30, 0.5)), model)
    explorer._board.drawing.seconds = 0.0  # a slow machine makes fewer frames
    yield explorer
    explorer.close()


def test_sliders_work_one_at_a_time(explorer, lab, tmp_path):
    path = explorer.save(tmp_path / "explorer.html")
    assert path.stat().st_size < 2**21
    page = lab.new_page()
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("request", lambda request: failed.append(request.url))
    page.set_content(path.read_text())
    slope, intercept = page.get_by_label("slope"), page.get_by_label("intercept")
    pixels = "document.querySelector('canvas').toDataURL()"
    page.locator("canvas").wait_for()  # which comes once its background is read
    page.wait_for_function(f"{pixels}.length > 5000")
    begun = page.evaluate(pixels)
    slope.press("ArrowRight")
    assert page.evaluate(pixels) != begun
    # a step of 200 over two decades
    assert float(slope.input_value()) == pytest.approx(0.01)
    assert page.get_by_text("1.023 mJy/d").is_visible()
    explorer.set(slope=10**0.01)
    likelihood = explorer.numbers["ln likelihood"]
    assert page.get_by_text(f"ln likelihood {likelihood}").is_visible()
    intercept.press("ArrowRight")
    assert float(slope.input_value()) == 0.0
    page.get_by_role("button").click()
    assert page.evaluate(pixels) == begun
    assert not [
        one for one in failed if not one.startswith(("data:", "about:", "blob:"))
    ]
    page.close()


def test_without_a_picture_it_is_told(tmp_path):
    x = np.linspace(0.0, 2.0, 30)
    model = anb.Model(slope=dist.Normal(0, 1), intercept=dist.Normal(0, 1))
    explorer = anb.explore(NumpyLine(x, x, np.full(30, 0.5)), model)
    with pytest.raises(ValueError, match="expected a fit that can be drawn; got none"):
        explorer.save(tmp_path / "page.html")
    explorer.close()
