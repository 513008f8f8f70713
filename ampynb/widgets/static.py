"""What stays of an explorer in a page without a kernel.

Beside the live widget the cell shows a record, that is written anew when the controls
have come to rest. The widget's style sheet hides it; where there is no widget it stands
in its place, in a saved notebook, on GitHub or in an export.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from IPython.display import display

from ampynb.inference.renderers import in_notebook

__all__ = ["bundle_of", "bundle_with_record", "static_html"]


def bundle_of(widget: Any, text: str, **kwargs: Any) -> dict[str, Any]:
    """Return what a cell shows for a widget, with a text where there is no page."""
    bundle = widget._repr_mimebundle_(**kwargs) or {}
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    return {**bundle, "text/plain": text}


def bundle_with_record(
    widget: Any,
    text: str,
    record_of: Callable[[], str | None],
    records: list[Callable[[], None]],
    **kwargs: Any,
) -> dict[str, Any]:
    """Return what a cell shows for a widget that leaves a record.

    Parameters
    ----------
    record_of : callable
        As of `show_record`.
    records : list
        In a notebook, where the record is shown beside, what writes it anew is added.
    """
    bundle = bundle_of(widget, text, **kwargs)
    if in_notebook():
        records.append(show_record(record_of))
        return bundle
    return {**bundle, "text/html": record_of()}


def show_record(record_of: Callable[[], str | None]) -> Callable[[], None]:
    """Show a record under the present cell; return what writes it anew.

    Parameters
    ----------
    record_of : callable
        Gives the record as HTML as it is now, or None where it has gone.
    """

    def bundle(record: str | None) -> dict[str, str]:
        html = f'<div class="ampynb-record">{record}</div>'
        return {"text/html": html, "text/plain": ""}

    handle = display(bundle(record_of()), raw=True, display_id=True)
    assert handle is not None

    def write() -> None:
        record = record_of()
        if record is not None:
            handle.update(bundle(record), raw=True)

    return write


def static_html(
    text: str, numbers: Mapping[str, str], pictures: Mapping[str, bytes]
) -> str:
    """Return a text, numbers and pictures, PNGs by what they show, as plain HTML."""
    shown = "".join(
        f'<img alt="{escape(name)}" style="max-width:100%" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for name, png in pictures.items()
        if png
    )
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td style="text-align:right;padding-left:1em">'
        f"{escape(number)}</td></tr>"
        for name, number in numbers.items()
    )
    table = f'<table style="font-variant-numeric:tabular-nums">{rows}</table>'
    return f"<code>{escape(text)}</code>{table}{shown}"
