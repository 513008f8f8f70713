"""The commit record of a run's folder: which files count, and how much of each."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.inference.store_error import StoreError

__all__ = ["MANIFEST", "ArraysFile", "DrawsFile", "Manifest", "to_disk"]

MANIFEST = "manifest.json"
FORMAT = 1
GROUPS = ("draws", "stats", "step_stats")
KINDS = ("state", "live")
NUMBERS = "biufc"  # kinds of NumPy types; any other might be made of pointers


@dataclass(frozen=True)
class DrawsFile:
    """Rows of raw numbers, ``sampling.draws.position.bin``, that only grow.

    Its name is made of what is checked here, so that none leads out of the folder.

    Attributes
    ----------
    phase : str
        ``"warmup"`` or ``"sampling"``.
    group, name : str
        ``"draws"``, ``"stats"`` or ``"step_stats"``, and the array among them.
    dtype : str
    shape : tuple of int
        Rows come first.
    crc32 : int
        Checksum of the rows that count.
    """

    phase: str
    group: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    crc32: int = 0

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))
        known = self.phase in (WARMUP, SAMPLING) and self.group in GROUPS
        counts = all(isinstance(n, int) and n >= 0 for n in self.shape) and self.shape
        if not (known and self.name.isidentifier() and counts):
            raise ValueError(f"no file of draws: {self}")
        if np.dtype(self.dtype).kind not in NUMBERS:
            raise ValueError(f"no type of numbers: {self.dtype}")

    @property
    def file(self) -> str:
        """The file's name within the folder."""
        return f"{self.phase}.{self.group}.{self.name}.bin"

    @property
    def bytes(self) -> int:
        """Length of what counts."""
        return int(np.prod(self.shape, dtype=int)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class ArraysFile:
    """Arrays of one commit by name, ``state-12.npz``, that the next replaces.

    Attributes
    ----------
    kind : str
        ``"state"``, or ``"live"`` for points that are no draws yet.
    commit : int
    bytes, crc32 : int
        Length and checksum.
    """

    kind: str
    commit: int
    bytes: int
    crc32: int

    def __post_init__(self):
        numbers = (self.commit, self.bytes, self.crc32)
        if self.kind not in KINDS or not all(isinstance(n, int) for n in numbers):
            raise ValueError(f"no file of arrays: {self}")

    @property
    def file(self) -> str:
        """The file's name within the folder."""
        return f"{self.kind}-{self.commit}.npz"


@dataclass(frozen=True)
class Manifest:
    """What a folder holds after one commit.

    Attributes
    ----------
    about : dict
        What the run is of.
    status : dict
        How far it is: ``reason, message, step, seconds``.
    commits : int
    draws : tuple of DrawsFile
    arrays : tuple of ArraysFile
    """

    about: Mapping[str, Any]
    status: Mapping[str, Any]
    commits: int = 0
    draws: tuple[DrawsFile, ...] = ()
    arrays: tuple[ArraysFile, ...] = ()

    @property
    def has_state(self) -> bool:
        """Whether there is something to continue from."""
        return any(entry.kind == "state" for entry in self.arrays)

    def write(self, folder: Path) -> None:
        """Replace the manifest in a folder, last and in one piece."""
        content = dataclasses.asdict(self)
        written = {"format": FORMAT, "crc32": _checksum(content), **content}
        fresh = folder / f"{MANIFEST}.new"
        with fresh.open("w") as stream:
            json.dump(written, stream, indent=1)
            to_disk(stream)
        os.replace(fresh, folder / MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of a folder.

        Raises
        ------
        StoreError
            Where there is none, or where it is not as it was written.
        """
        try:
            content = json.loads((folder / MANIFEST).read_text())
            form, checksum = content.pop("format"), content.pop("crc32")
            if form == FORMAT and checksum != _checksum(content):
                raise ValueError("other content than was written")
            if form == FORMAT:
                return cls(
                    dict(content["about"]),
                    dict(content["status"]),
                    int(content["commits"]),
                    tuple(DrawsFile(**entry) for entry in content["draws"]),
                    tuple(ArraysFile(**entry) for entry in content["arrays"]),
                )
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f"expected the folder of a run at {folder}; got no {MANIFEST} there; "
                "correct the path, or leave out resume=True to begin a run"
            ) from None
        except OSError as error:
            raise StoreError(
                f"expected to read {folder / MANIFEST}; got {type(error).__name__}: "
                f"{error.strerror or error}; see to who may read it"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"expected {folder / MANIFEST} as ampynb wrote it; got {error}; it was "
                "changed or cut short: restore it from a copy; the other files are "
                "intact"
            ) from error
        raise StoreError(
            f"expected a run folder of format {FORMAT}; got {form} at {folder}; "
            "open it with the version of ampynb that wrote it"
        )


def to_disk(stream: Any) -> None:
    """Bring what was written to the disk itself."""
    stream.flush()
    os.fsync(stream.fileno())


def _checksum(content: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())
