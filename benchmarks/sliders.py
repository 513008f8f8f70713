"""From a slider's move to the new picture, in JupyterLab in headless Chromium.

Panels of data, model and residuals with 1,000 points, and three images of 100 x 100
pixels: the explorer with its sweep, without it, over a network with a delay of 200 ms
and beside a NUTS run; a bare slider-to-picture round trip; and the ordinary ways to do
it, as far as they are installed: ``ipywidgets.interact`` with matplotlib, ipympl, and
mpl-interactions. One session; what is to be compared is measured in turns. Needs the
extra ``test`` and a Chromium on the path. Run ``python benchmarks/sliders.py 3`` for
three rounds.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from delay import delayed
from interaction import Picture, Slider, flood, measure_latency
from jupyter_lab import JupyterLab, NotebookPage, write_notebook
from test_explorer import EXPLORE, SET_UP
from test_explorer_views import IMAGE

MOVES, DELAY = 20, 0.2
NO_SWEEP = """
from ampynb.widgets.board import Board

Board._sweep = lambda self, name: None
"""
SAMPLE = "run = anb.InferenceEngine(analysis, model).start(\n"
SAMPLE += "    4, 10**7, 200, sampler='nuts', progress='none', start=explorer.instance)"
FLOOR = """
import io

import ipywidgets
from PIL import Image

bare = ipywidgets.FloatSlider(2.5, min=0, max=5, step=0.025, description="amplitude")
dot = ipywidgets.Image(layout={"align_self": "flex-start"})


def draw(change):
    stream = io.BytesIO()
    colour = (0, int(50 * bare.value), 128)
    Image.new("RGB", (8, 8), colour).save(stream, "png")
    dot.value = stream.getvalue()


draw(None)
bare.observe(draw, "value")
ipywidgets.VBox([bare, dot])
"""
CURVES = """
import ipywidgets
import matplotlib.pyplot as plt


def fit_at(amplitude):
    return analysis.fit_for_visualization(anb.Instance(
        amplitude=amplitude, period=1.0, offset=0.0))


def panels():
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True)
    upper.errorbar(x, y, 0.3, fmt="o", ms=2, elinewidth=0.4, alpha=0.5)
    lower.set_ylim(-10, 10)
    fit = fit_at(2.5)
    (line,) = upper.plot(x, fit.model, color="C1")
    (points,) = lower.plot(x, fit.residuals, "o", ms=1.5)
    return figure, line, points


knob = ipywidgets.FloatSlider(2.5, min=0, max=5, step=0.025, description="amplitude")
"""
INTERACT = """
%matplotlib inline


def draw(amplitude):
    figure, line, points = panels()
    fit = fit_at(amplitude)
    line.set_ydata(fit.model)
    points.set_ydata(fit.residuals)
    plt.show()


ipywidgets.interactive(draw, amplitude=knob)
"""
IPYMPL = """
%matplotlib ipympl
plt.ioff()
figure, line, points = panels()
figure.canvas.toolbar_visible = figure.canvas.header_visible = False


def draw(change):
    fit = fit_at(change["new"])
    line.set_ydata(fit.model)
    points.set_ydata(fit.residuals)
    figure.canvas.draw()


knob.observe(draw, "value")
ipywidgets.VBox([knob, figure.canvas])
"""
MPL_INTERACTIONS = """
%matplotlib ipympl
plt.ioff()
import mpl_interactions.ipyplot as iplt

figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True)
figure.canvas.toolbar_visible = figure.canvas.header_visible = False
upper.errorbar(x, y, 0.3, fmt="o", ms=2, elinewidth=0.4, alpha=0.5)
controls = iplt.plot(
    x, lambda x, amplitude: fit_at(amplitude).model, ax=upper,
    amplitude=np.linspace(0, 5, 201), ylim="fixed", display_controls=False)
iplt.plot(
    x, lambda x, amplitude: fit_at(amplitude).residuals, ".", ax=lower,
    controls=controls["amplitude"], ylim="fixed")
lower.set_ylim(-10, 10)
ipywidgets.VBox([controls.controls["amplitude"], figure.canvas])
"""
NOTEBOOKS = {  # name, cells before the one with the picture, that cell, its slider
    "bare round trip": ([], FLOOR, "amplitude"),
    "explorer": ([SET_UP], EXPLORE, "amplitude"),
    "explorer, images": ([IMAGE], EXPLORE, "flux"),
    "explorer, no sweep": ([SET_UP, NO_SWEEP], EXPLORE, "amplitude"),
    "explorer, images, no sweep": ([IMAGE, NO_SWEEP], EXPLORE, "flux"),
    "interact": ([SET_UP, CURVES], INTERACT, "amplitude"),
    "ipympl": ([SET_UP, CURVES], IPYMPL, "amplitude"),
    "mpl-interactions": ([SET_UP, CURVES], MPL_INTERACTIONS, "amplitude"),
}
NEEDED = {"ipympl": "ipympl", "mpl-interactions": "mpl_interactions"}
AWAY = ", 200 ms away"
GROUPS = [  # open together and measured in turns: idle pages take their share too
    ("bare round trip", "explorer, no sweep", "explorer, images, no sweep"),
    ("explorer", "explorer, images", "interact", "ipympl", "mpl-interactions"),
    (f"explorer{AWAY}", f"explorer, images{AWAY}"),
]


def open_page(
    lab: JupyterLab, folder: Path, name: str, url: str = ""
) -> tuple[NotebookPage, Slider, Picture]:
    before, cell, slider = NOTEBOOKS[name]
    path = write_notebook(folder / "sliders.ipynb", [*before, (cell, "picture")])
    page = lab.open(path, url)
    page.run_all(timeout=180)
    page.check()
    nth = page.page.locator(".widget-slider").count() - 1 if "mpl" in name else 0
    found = page.slider(slider) if nth <= 0 else _only_slider(page)
    return page, found, page.picture("picture")


def _only_slider(page: NotebookPage) -> Slider:
    return Slider(page.page.locator(".widget-slider").first)


def measure(page: NotebookPage, slider: Slider, picture: Picture) -> list[float]:
    page.page.bring_to_front()
    slider.focus()
    page.wait_idle(quiet=1.0)
    return measure_latency(page, slider, picture, moves=MOVES)


def tell(name: str, times: list[float]) -> None:
    late = statistics.quantiles(times, n=20)[-1]
    median = statistics.median(times)
    print(f"{name:34s} median {median:6.1f} ms, 95th percentile {late:6.1f} ms")


def tell_flood(page: NotebookPage, slider: Slider, picture: Picture) -> None:
    """Drag to the other end, and see how soon what is then right is shown."""
    page.page.bring_to_front()
    slider.focus()
    page.wait_idle(quiet=1.0)
    flood(page, slider, moves=200, seconds=2)
    begun, seen, last = time.monotonic(), picture.fingerprint(), 0.0
    while time.monotonic() - begun < 2.0:
        now = picture.fingerprint()
        if now != seen:
            seen, last = now, time.monotonic() - begun
    kernel = float(page.evaluate("explorer.vector[0].item()"))
    print(
        f"flood of 200 moves in 2 s: last change of the picture {1000 * last:.0f} ms "
        f"after it; page {slider.value:.6g}, kernel {kernel:.6g}"
    )


def measure_group(lab: JupyterLab, group: tuple[str, ...], rounds: int) -> None:
    """Measure the pages of a group in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        far = stack.enter_context(delayed(lab.url, DELAY))
        pages = {}
        for name in group:
            if not importlib.util.find_spec(NEEDED.get(name, "ampynb")):
                print(f"{name:34s} is not installed")
                continue
            url = far if name.endswith(AWAY) else ""
            pages[name] = open_page(lab, folder, name.removesuffix(AWAY), url)
            stack.callback(pages[name][0].close)
        found: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(rounds):
            for name, opened in pages.items():
                found[name] += measure(*opened)
        for name, times in found.items():
            tell(name, times)


def measure_busy(lab: JupyterLab, folder: Path) -> None:
    """Measure a flood of moves, and moves beside a run of NUTS."""
    page, slider, picture = open_page(lab, folder, "explorer")
    tell_flood(page, slider, picture)
    page.execute(SAMPLE, timeout=60)
    time.sleep(20)  # compiling
    tell("explorer, beside NUTS", measure(page, slider, picture))
    page.execute("run.stop()")
    page.close()


def main() -> None:
    """Measure in alternating rounds, and print medians and 95th percentiles."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        with JupyterLab(Path(folder) / "lab") as lab:
            for group in GROUPS:
                measure_group(lab, group, rounds)
            measure_busy(lab, Path(folder))


if __name__ == "__main__":
    main()
