"""A page of HTML with sliders that needs neither a kernel nor a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from html import escape
from typing import Any

import numpy as np

from ampynb.widgets.drawing import Drawing, Sweep
from ampynb.widgets.point import Point, controls_of
from ampynb.widgets.view import HERE

__all__ = ["page_html"]

BYTES_OF_A_SWEEP = 2**19
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<main class="ampynb-explorer"></main>
<script type="module">
{script}
showPage(document.querySelector("main"), {data});
</script>
</html>
"""


def page_html(drawing: Drawing, point: Point) -> str:
    """Return the page of a point, with a sweep of each free parameter.

    Raises
    ------
    ValueError
        Where there is no picture.
    """
    with drawing.lock:
        frame = drawing.frame(point)
        if drawing.scene is None or frame.parts is None:
            raise ValueError(
                "expected a fit that can be drawn; got none; give the analysis a "
                "fit_from that returns data and model of one or two dimensions"
            )
        free = [c for c in controls_of(point.given) if c.element in point.model.names]
        sweeps = [_whole(drawing.sweep(point, c, BYTES_OF_A_SWEEP)) for c in free]
        limits = [frame.parts.limits, *(sweep.parts.limits for sweep in sweeps)]
        keys = {drawing.key(limit) for limit in np.concatenate(limits)}
        data = {
            "scene": drawing.scene.layout(drawing.fit),
            "frame": {
                "key": frame.background,
                "numbers": frame.numbers,
                "y": frame.parts.y.astype("<f4").tobytes(),
                "pixels": frame.parts.pixels.tobytes(),
            },
            "backgrounds": {key: drawing.background(key) for key in sorted(keys)},
            "sweeps": [_packed(sweep, point) for sweep in sweeps],
        }
    script = "\n".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("draw.js", "page.js")
    )
    style = (HERE / "page.css").read_text(encoding="utf-8")
    # "</" would end the script within it
    packed = json.dumps(data, default=_encoded).replace("</", "<\\/")
    title = escape(type(drawing.analysis).__name__)
    return PAGE.format(title=title, style=style, script=script, data=packed)


def _whole(steps: Generator[None, None, Sweep | None]) -> Sweep:
    """Run a sweep to its end; nobody else can make the scene anew meanwhile."""
    while True:
        try:
            next(steps)
        except StopIteration as last:
            assert last.value is not None
            return last.value


def _packed(sweep: Sweep, point: Point) -> dict[str, Any]:
    control = sweep.control
    low, high = (float(control.scaled(edge)) for edge in control.interval)
    value = np.clip(point.elements[control.element], *control.interval)
    return {
        "name": control.element,
        "unit": control.unit,
        "logarithmic": control.logarithmic,
        "low": low,
        "high": high,
        "position": float(control.scaled(value)),
        "keys": sweep.keys,
        "numbers": sweep.numbers,
        "y": sweep.parts.y.astype("<f4").tobytes(),
        "pixels": sweep.parts.pixels.tobytes(),
    }


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
