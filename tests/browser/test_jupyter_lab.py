import statistics
import time

import pytest
from interaction import flood, measure_latency
from jupyter_lab import write_notebook

pytestmark = pytest.mark.slow

WIDGETS = """
import io
import time

import ipywidgets
from PIL import Image

delay = 0

def draw(level):
    time.sleep(delay)
    file = io.BytesIO()
    Image.new("RGB", (240, 120), (0, int(2 * level), 128)).save(file, "png")
    return file.getvalue()

slider = ipywidgets.FloatSlider(50, min=0, max=120, step=0.5, description="level")
deaf = ipywidgets.IntSlider(5, description="deaf")
picture = ipywidgets.Image(value=draw(50), layout={"align_self": "flex-start"})
slider.observe(lambda change: setattr(picture, "value", draw(change.new)), "value")
ipywidgets.VBox([slider, deaf, picture])
"""
BUTTONS = """
import ipywidgets

label = ipywidgets.Label("ready")
fill = ipywidgets.Button(description="Fill")
fill.on_click(lambda _: setattr(label, "value", "filled"))
fail = ipywidgets.Button(description="Fail")
fail.on_click(lambda _: 1 / 0)
ipywidgets.VBox([label, ipywidgets.HBox([fill, fail])])
"""
THREAD = """
import sys
import threading


def fail():
    print("Traceback (most recent call last):", file=sys.stderr, flush=True)
    threading.Event().wait(0.4)  # the kernel sends what there is so far
    1 / 0


thread = threading.Thread(target=fail)
thread.start()
thread.join()
"""
CANVAS = """
from IPython.display import HTML

HTML('''<canvas width="80" height="40"></canvas><script>
document.currentScript.previousSibling.getContext("2d").fillRect(10, 10, 20, 20);
</script>''')
"""


@pytest.fixture(scope="module")
def widgets(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("widgets")
    page = lab.open(write_notebook(folder / "widgets.ipynb", [(WIDGETS, "plot")]))
    page.run_all()
    yield page
    page.check()
    page.close()


@pytest.fixture
def slider(widgets):
    slider = widgets.slider("level")
    slider.drag(0.4)
    widgets.wait_idle()
    return slider


@pytest.fixture
def picture(widgets):
    return widgets.picture("plot")


def test_cells_are_run_and_saved(open_notebook):
    page = open_notebook(["x = 20", ("print(x + 1)\nx", "shown")])
    page.run_cell(0)
    assert page.text("shown") == ""
    page.run_cell("shown")
    assert page.text("shown").split() == page.text(1).split() == ["21", "20"]
    printed, shown = page.save()["cells"][1]["outputs"]
    assert (printed["text"], shown["data"]["text/plain"]) == (["21\n"], ["20"])
    page.check()
    with pytest.raises(LookupError, match="no cell has the tag 'missing'"):
        page.text("missing")


def test_failing_cell_is_reported(open_notebook):
    page = open_notebook([("[][3]", "bad"), "after = 1"])
    page.run_all()
    (error,) = page.cell_errors()
    assert error.startswith("cell 0 bad: IndexError: list index out of range")
    assert page.callback_errors() == []
    with pytest.raises(AssertionError, match="cell 0 bad: IndexError"):
        page.check()


def test_failing_callback_is_reported(open_notebook):
    page = open_notebook([(BUTTONS, "form")])
    page.run_all()
    page.button("Fill").click()
    page.wait_idle()
    assert "filled" in page.text("form")
    page.check()
    page.button("Fail").click()
    page.wait_idle()
    assert page.cell_errors() == []
    (error,) = page.callback_errors()
    assert error.startswith("ZeroDivisionError: division by zero")
    with pytest.raises(AssertionError, match="in a callback: ZeroDivisionError"):
        page.check()


def test_failing_thread_is_reported(open_notebook):
    page = open_notebook([THREAD])
    page.run_all()
    assert page.cell_errors() == []
    (error,) = page.callback_errors()
    assert "ZeroDivisionError" in error


def test_kernel_is_reached_without_a_trace(open_notebook):
    page = open_notebook(["import time", "time.sleep(1.5)"])
    page.execute("word = 'ab' * 2")
    assert page.evaluate("word") == "'abab'"
    assert page.save()["cells"][0]["execution_count"] is None
    with pytest.raises(RuntimeError, match="NameError"):
        page.evaluate("missing")
    page.run_cell(0)
    page.start_cell(1)
    with pytest.raises(TimeoutError, match="not evaluated within"):
        page.evaluate("word", timeout=0.3)
    with pytest.raises(TimeoutError, match="kernel to finish: execute_request"):
        page.wait_idle(timeout=0.3)
    page.wait_idle()
    page.check()


def test_slider_is_moved_by_keys_and_pointer(widgets, slider, picture, tmp_path):
    start, first = slider.value, picture.fingerprint()
    slider.press("ArrowRight", times=3)
    assert slider.value == pytest.approx(start + 1.5)
    widgets.wait_idle()
    assert float(widgets.evaluate("slider.value")) == slider.value
    assert picture.fingerprint() != first
    slider.press("ArrowLeft", times=3)
    widgets.wait_idle()
    assert picture.fingerprint() == first
    slider.drag(0.8)
    widgets.wait_idle()
    assert slider.fraction == pytest.approx(0.8, abs=0.02)
    assert float(widgets.evaluate("slider.value")) == slider.value
    widgets.screenshot(tmp_path / "window.png")
    widgets.screenshot(tmp_path / "plot.png", cell="plot")


def test_canvas_has_a_fingerprint(open_notebook):
    page = open_notebook([CANVAS, CANVAS, CANVAS.replace("20, 20", "20, 21")])
    page.run_all()
    page.check()
    first, same, other = (page.picture(cell).fingerprint() for cell in range(3))
    assert first == same != other


def test_latency_contains_the_kernels_delay(widgets, slider, picture):
    quick = measure_latency(widgets, slider, picture, moves=8)
    widgets.execute("delay = 0.2")
    slow = measure_latency(widgets, slider, picture, moves=4)
    widgets.execute("delay = 0")
    assert min(quick) > 0
    assert min(slow) > 200
    assert statistics.median(quick) < 200


def test_latency_of_a_deaf_slider_times_out(widgets, picture):
    expected = "not change within 1 s of ArrowRight.* slider from 5 to 6; no callback"
    with pytest.raises(TimeoutError, match=expected):
        measure_latency(widgets, widgets.slider("deaf"), picture, timeout=1)


def test_flood_settles_on_the_last_value(widgets, slider, picture):
    start = time.monotonic()
    flood(widgets, slider, moves=50, seconds=1)
    assert time.monotonic() - start < 5
    widgets.wait_idle()
    assert slider.fraction == pytest.approx(0.9, abs=0.02)
    assert float(widgets.evaluate("slider.value")) == slider.value
    settled = picture.fingerprint()
    slider.press("ArrowLeft", times=5)
    widgets.wait_idle()
    assert picture.fingerprint() != settled
    slider.press("ArrowRight", times=5)
    widgets.wait_idle()
    assert picture.fingerprint() == settled
