"""Labels of plots: LaTeX that matplotlib can draw, checked where they are given."""

from __future__ import annotations

import functools
import re
from typing import Any

__all__ = ["checked_label"]

_PLAIN = re.compile(r"[A-Za-z0-9 .,:;()+=/-]*")


def checked_label(label: Any) -> str | None:
    """Return a label as LaTeX without dollar signs; None where it is empty.

    Raises
    ------
    TypeError
        Where it is no text.
    ValueError
        Where matplotlib cannot draw it.
    """
    if label is None:
        return None
    if not isinstance(label, str):
        raise TypeError(
            f"expected a label as text; got {type(label).__qualname__}; write for "
            r"instance label=r'\theta_E'"
        )
    text = label.strip()
    if len(text) > 1 and text[0] == text[-1] == "$" and text[-2] != "\\":
        text = text[1:-1].strip()
    if not text:
        return None
    fault = None if _PLAIN.fullmatch(text) else _fault_in(text)
    if fault:
        raise ValueError(
            f"expected a label that matplotlib can draw as LaTeX between dollar signs; "
            rf"got {label!r}: {fault}; write for instance label=r'\theta_E', and words "
            r"as r'\mathrm{flux}'"
        )
    return text


@functools.lru_cache(maxsize=1000)
def _fault_in(text: str) -> str | None:
    """Return what keeps matplotlib from drawing a text, or None."""
    if not text.isprintable():
        return "a character that cannot be printed"
    if re.search(r"(?<!\\)\$", text):
        return "a dollar sign within"
    from matplotlib.mathtext import MathTextParser  # half a second, once

    try:
        MathTextParser("path").parse(f"${text}$")
    except ValueError as error:
        return str(error).strip().split("\n")[-1].split(", found")[0]
    return None
