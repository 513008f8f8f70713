"""What a function looks like where it was written, for people to read."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Callable
from typing import Any

__all__ = ["text_of"]


def text_of(function: Callable) -> str:
    """Return a lambda's expression, or the name of any other function with ``()``."""
    name = getattr(function, "__name__", type(function).__name__)
    if name != "<lambda>":
        return f"{name}()"
    code = getattr(function, "__code__", None)
    source = linecache.getlines(code.co_filename, function.__globals__) if code else []
    written = _lambda_in("".join(source), code)
    return "a lambda" if written is None else ast.unparse(written.body)


def _lambda_in(source: str, code: Any) -> ast.Lambda | None:
    """Return the syntax of the lambda that was compiled to ``code``, if it is there."""
    # Of several on a line, columns tell which; an empty span is no expression.
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if None not in (line, end_line, column, end_column) and column != end_column
    ]
    if not spans:
        return None
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    around = [
        node
        for node in _lambdas(source)
        if (node.body.lineno, node.body.col_offset) <= first
        and last <= (node.body.end_lineno, node.body.end_col_offset)
    ]
    return max(around, key=lambda node: (node.lineno, node.col_offset), default=None)


@functools.lru_cache(maxsize=8)
def _lambdas(source: str) -> list[ast.Lambda]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with magics in it
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
