"""What goes wrong with a run's folder, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["StoreError", "explained"]


class StoreError(RuntimeError):
    """A run's folder could not be written, read or continued; it says why."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into what to do about it."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"expected to write the run to {path}; got {type(error).__name__}: "
            f"{error.strerror or error}; make room or give another path; what was "
            "saved before is intact, and resume=True continues from there"
        ) from error
