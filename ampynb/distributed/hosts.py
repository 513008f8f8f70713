"""Processes that make one run together, as `jax.distributed` connects them.

All run the same script and have the same result; the first decides what depends on the
clock or on the user, writes files and shows progress.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from enum import Enum
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = [
    "agreed",
    "check_same",
    "clock",
    "is_alone",
    "is_first",
    "led_by_first",
    "together",
]

Yielded = TypeVar("Yielded")
Told = TypeVar("Told")

LEFT = -1  # told in the place of a command


def is_first() -> bool:
    """Whether this process writes and shows; where there is one, it does."""
    return jax.process_index() == 0


def is_alone() -> bool:
    """Whether this process makes its runs without others."""
    return jax.process_count() == 1


def agreed(value: float) -> float:
    """Return the first process's number in all of them."""
    if is_alone():
        return value
    # As bytes: a float64 would be rounded where JAX computes in float32.
    sent = np.frombuffer(np.float64(value).tobytes(), np.uint8)
    told = np.asarray(multihost_utils.broadcast_one_to_all(sent), np.uint8)
    return float(np.frombuffer(told.tobytes())[0])


def clock() -> float:
    """Return seconds that are the same in all processes, as `time.perf_counter`."""
    return agreed(time.perf_counter())


def check_same(described: Mapping[str, Any]) -> None:
    """Raise where processes were given different things.

    Parameters
    ----------
    described : dict
        What must be the same, by section, in words that JSON can keep.

    Raises
    ------
    ValueError
        In all processes; it names the sections.
    """
    if is_alone():
        return
    texts = [json.dumps(part, sort_keys=True) for part in described.values()]
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    mine = np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1)
    all_digests = np.asarray(multihost_utils.process_allgather(mine), np.uint8)
    differ = (all_digests != all_digests[0]).any(axis=(0, 2))
    if differ.any():
        told = (
            f"{section} ({', '.join(part)})" if isinstance(part, Mapping) else section
            for (section, part), other in zip(described.items(), differ, strict=True)
            if other
        )
        raise ValueError(
            "expected the same model, data and options in every process; got others "
            f"in {' and '.join(told)}; read the same files and use the same seeds "
            "everywhere"
        )


@contextmanager
def together() -> Iterator[None]:
    """Let what fails in one process fail in all, before any waits for another."""
    failed = True
    try:
        yield
        failed = False
    finally:
        if not is_alone():
            flags = np.asarray(multihost_utils.process_allgather(np.array([failed])))
            if flags.any() and not failed:
                raise RuntimeError(
                    "expected every process to begin the run; got an error in process "
                    f"{int(np.argmax(flags))}; see what it printed"
                )


def led_by_first(
    loop: Generator[Yielded, Told, None], stop: Enum
) -> Generator[Yielded, Told, None]:
    """Send a loop, in every process, what is sent to it in the first.

    Where the first gives up, because it cannot write its files for instance, the
    others are sent ``stop``. Several processes know only commands of its enumeration.
    """
    if is_alone():
        yield from loop
        return
    left, choices = False, list[Any](type(stop))
    with closing(loop):
        event = next(loop)
        while True:
            try:
                command = yield event
            except GeneratorExit:
                if is_first():
                    agreed(LEFT)
                raise
            if not left:
                told = int(agreed(choices.index(command)))
                left = told == LEFT
                told = choices.index(stop) if left else told
                command = choices[told]
            try:
                event = loop.send(command)
            except StopIteration:
                return
