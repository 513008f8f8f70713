"""What ampynb asks of JAX, once, when it is imported."""

from __future__ import annotations

import os
from pathlib import Path

import jax

CACHE_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
SHORTEST_COMPILE_TO_KEEP = 0.2  # seconds; shorter ones are as quick to redo


def apply() -> None:
    """Use float64 and a compilation cache on disk, unless the user chose otherwise.

    The precision is set globally because JAX's context manager holds for one thread
    only, and runs are made in a worker thread.
    """
    if "JAX_ENABLE_X64" not in os.environ:
        jax.config.update("jax_enable_x64", True)
    if CACHE_VARIABLE not in os.environ and not _cache_is_set():
        folder = _cache_folder()
        if folder is not None:
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update(
                "jax_persistent_cache_min_compile_time_secs", SHORTEST_COMPILE_TO_KEEP
            )


def _cache_is_set() -> bool:
    return bool(getattr(jax.config, "jax_compilation_cache_dir", None))


def _cache_folder() -> Path | None:
    """Return a writable folder for compiled programs, or None where there is none."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base) / "ampynb" / "jax"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # not writable, or a user without a home
        return None
    return folder if os.access(folder, os.W_OK) else None
