"""What stays of an explorer in a page without a kernel."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

__all__ = ["static_html"]


def static_html(text: str, numbers: Mapping[str, str], png: bytes) -> str:
    """Return a text, numbers and a picture (a PNG, or nothing) as plain HTML."""
    encoded = base64.b64encode(png).decode()
    picture = (
        '<img alt="the fit" style="max-width:100%" '
        f'src="data:image/png;base64,{encoded}">'
        if png
        else ""
    )
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td style="text-align:right;padding-left:1em">'
        f"{escape(number)}</td></tr>"
        for name, number in numbers.items()
    )
    table = f'<table style="font-variant-numeric:tabular-nums">{rows}</table>'
    return f"<code>{escape(text)}</code>{table}{picture}"
