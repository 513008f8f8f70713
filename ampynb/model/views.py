"""A model's table as text and as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ampynb.model.table import describe

if TYPE_CHECKING:
    from ampynb.model.model import Model

__all__ = ["as_html", "as_text"]

HEAD = ("name", "kind", "prior or value", "unit")


def _lines(model: Model) -> list[tuple[str, str, str, str]]:
    parameters = [
        (row.name, row.kind, describe(row, given), row.unit)
        for row, given in model.entries()
    ]
    assertions = [
        (name, "assertion", str(function), "")
        for name, function in model.assertions.items()
    ]
    return parameters + assertions


def as_text(model: Model) -> str:
    """Return the table in columns."""
    lines = [HEAD, *_lines(model)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([f"Model with {model.ndim} free parameters", *text])


def as_html(model: Model) -> str:
    """Return the table for a notebook."""
    cells = (
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
        for line in _lines(model)
    )
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    title = f"<b>Model</b> with {model.ndim} free parameters"
    return f"{title}<table><tr>{head}</tr>{''.join(cells)}</table>"
