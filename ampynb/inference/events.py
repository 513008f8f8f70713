"""What a run says of itself: frozen events that any renderer can show or log."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

__all__ = [
    "Advanced",
    "Event",
    "Failed",
    "Finished",
    "HookFailed",
    "PhaseChanged",
    "Saved",
    "Started",
]


@dataclass(frozen=True)
class Event:
    """Base of all events; every field is a plain number, string or dictionary."""

    def as_dict(self) -> dict:
        """Return the event as a JSON-able dictionary, its type under ``event``."""
        return {"event": type(self).__name__, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """A run has begun: what is sampled, by what, and how long.

    Attributes
    ----------
    sampler : str
    nwalkers, ndim, burn, seed : int
    iterations : int, optional
        Steps after the burn-in; None for as many as it takes.
    step : int
        Steps that were done before, where a run is continued.
    seconds : float
        Time that they took [s].
    """

    sampler: str
    nwalkers: int
    ndim: int
    burn: int
    iterations: int | None
    seed: int
    step: int = 0
    seconds: float = 0.0
    devices: int = 1

    @property
    def total(self) -> int | None:
        """Steps to do, warm-up included; None for as many as it takes."""
        return None if self.iterations is None else self.burn + self.iterations


@dataclass(frozen=True)
class PhaseChanged(Event):
    """The run entered a phase: ``compiling``, ``warmup`` or ``sampling``."""

    phase: str


@dataclass(frozen=True)
class Advanced(Event):
    """A chunk of steps is done.

    Attributes
    ----------
    phase : str
        The phase of the steps in the chunk.
    step : int
        Steps done, warm-up included.
    total : int, optional
        Steps to do; None for as many as it takes.
    fraction : float
        Share of the work that is done, 0 to 1.
    seconds : float
        Time since the run began [s], pauses left out.
    metrics : dict of str to float
        The algorithm's own numbers, such as ``acceptance_rate``.
    rejected : str
        How many points the likelihood has rejected, and why; nothing where none.
    """

    phase: str
    step: int
    total: int | None
    fraction: float
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    rejected: str = ""


@dataclass(frozen=True)
class Saved(Event):
    """Draws and state are on disk up to ``step``."""

    path: str
    step: int


@dataclass(frozen=True)
class HookFailed(Event):
    """A hook of the analysis has raised; the run goes on without it.

    Attributes
    ----------
    hook : str
        Its name, such as ``save_results``.
    error, message : str
        What it raised.
    """

    hook: str
    error: str
    message: str

    def __str__(self) -> str:
        return f"{self.hook} failed: {self.error}: {self.message}"


@dataclass(frozen=True)
class Finished(Event):
    """The run has ended and its draws are valid.

    Attributes
    ----------
    reason : str
        ``"completed"`` or ``"stopped"``.
    message : str
        What a stopping rule says of it, if there was one.
    """

    reason: str
    step: int
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Failed(Event):
    """The run has ended with an error; the draws before it are kept."""

    error: str
    message: str
    step: int
    seconds: float
