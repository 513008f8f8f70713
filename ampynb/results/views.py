"""A result in text and in HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ampynb.results.diagnostics import FINE
from ampynb.results.tables import FEWEST_DRAWS

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["as_html", "as_text"]


def as_text(result: Result) -> str:
    """Return headline, remarks, table and verdict in lines."""
    lines = [f"{type(result).__name__} of {_headline(result)}", *_remarks(result)]
    if len(result.draws) >= FEWEST_DRAWS:
        lines.append(result.summary().round(4).to_string())
    return "\n".join([*lines, *result.verdict()])


def as_html(result: Result) -> str:
    """Return headline, remarks, table and verdict for a notebook."""
    table = ""
    if len(result.draws) >= FEWEST_DRAWS:
        table = result.summary().to_html(float_format="{:.4g}".format, border=0)
    remarks = "".join(f"<div>{escape(line)}</div>" for line in _remarks(result))
    told = "".join(f"<div>⚠ {escape(line)}</div>" for line in result.verdict())
    head = f"<b>{escape(_headline(result))}</b>{remarks}{table}"
    return f"{head}{told or f'<div>✓ {FINE}</div>'}"


def _headline(result: Result) -> str:
    shape = " x ".join(map(str, result.draws.shape[:2]))
    return (
        f"{result.algorithm.name}, {result.reason}: {shape} draws of "
        f"{result.table.ndim} parameters in {result.seconds:.1f} s"
        + (f" on {result.devices} devices" if result.devices > 1 else "")
    )


def _remarks(result: Result) -> list[str]:
    evidence = [
        f"log evidence {estimate} by {method.replace('_', ' ')}"
        for method, estimate in result.outcome.log_evidence.items()
    ]
    told = filter(None, [result.message, _stored_latents(result)])
    return [*evidence, *told, *result.history.remarks, *result.warnings]


def _stored_latents(result: Result) -> str:
    """Return what is to be done for latent variables that are in a file alone."""
    names = result.stored_latents
    if not names:
        return ""
    return (
        f"latent variables ({', '.join(names)}) are in idata alone; for tables and "
        "plots of them give analysis and model too: ampynb.load(path, analysis, model)"
    )
