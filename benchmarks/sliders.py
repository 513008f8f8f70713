"""From a slider's move to the new picture, in JupyterLab in headless Chromium.

Panels of data, model and residuals with 1,000 points, beside a bare slider-to-label
round trip in the same page, in alternating rounds. Needs the extra ``test`` and a
Chromium on the path. Run ``python benchmarks/sliders.py``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from interaction import flood, measure_latency
from jupyter_lab import JupyterLab, write_notebook
from test_explorer import EXPLORE, SET_UP

ROUNDS, MOVES = 5, 20
FLOOR = """
import io

import ipywidgets
from PIL import Image

bare = ipywidgets.FloatSlider(50, min=0, max=100, step=0.5, description="bare")
dot = ipywidgets.Image(layout={"align_self": "flex-start"})


def draw(change):
    stream = io.BytesIO()
    colour = (0, int(2 * bare.value), 128)
    Image.new("RGB", (8, 8), colour).save(stream, "png")
    dot.value = stream.getvalue()


draw(None)
bare.observe(draw, "value")
ipywidgets.VBox([bare, dot])
"""


def main() -> None:
    """Measure in alternating rounds, and print medians and 95th percentiles."""
    with (
        tempfile.TemporaryDirectory() as folder,
        JupyterLab(Path(folder) / "lab") as lab,
    ):
        cells = [SET_UP, (EXPLORE, "explorer"), (FLOOR, "floor")]
        page = lab.open(write_notebook(Path(folder) / "sliders.ipynb", cells))
        page.run_all()
        pairs = {
            "explorer": (page.slider("amplitude"), page.picture("explorer")),
            "round trip": (page.slider("bare"), page.picture("floor")),
        }
        found: dict[str, list[float]] = {name: [] for name in pairs}
        for _ in range(ROUNDS):
            for name, (slider, picture) in pairs.items():
                found[name] += measure_latency(page, slider, picture, moves=MOVES)
        for name, times in found.items():
            late = statistics.quantiles(times, n=20)[-1]
            median = statistics.median(times)
            print(f"{name:12s} median {median:5.1f} ms, 95th percentile {late:5.1f} ms")
        flood(page, pairs["explorer"][0], moves=100, seconds=2)
        page.wait_idle(quiet=0.5)
        kernel = float(page.evaluate("explorer.vector[0].item()"))
        shown = pairs["explorer"][0].value
        print(f"flood of 100 moves: the page ends at {shown}, the kernel at {kernel}")


if __name__ == "__main__":
    main()
