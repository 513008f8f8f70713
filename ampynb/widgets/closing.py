"""Closes widgets with all that belongs to them."""

from __future__ import annotations

from typing import Any

__all__ = ["close_all"]


def close_all(widgets: list[Any]) -> None:
    """Close widgets, their layouts and their children."""
    for widget in widgets:
        for child in getattr(widget, "children", ()):
            close_all([child])
        for model in (getattr(widget, "layout", None), getattr(widget, "style", None)):
            if model is not None:
                model.close()
        widget.close()
