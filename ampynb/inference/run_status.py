"""Where a run is, as its events tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ampynb.inference.events import (
    Advanced,
    Event,
    Failed,
    Finished,
    HookFailed,
    PhaseChanged,
    Started,
)
from ampynb.inference.loop import COMPILING

__all__ = ["RunStatus"]


@dataclass(frozen=True)
class RunStatus:
    """Where a run is.

    Attributes
    ----------
    state : str
        ``"compiling"``, ``"warmup"``, ``"sampling"``, ``"pausing"`` until the present
        chunk of steps is done and then ``"paused"``, ``"stopping"``, ``"completed"``,
        ``"stopped"`` or ``"failed"``.
    phase : str
        The phase of the last steps.
    step : int
        Steps done, warm-up included.
    total : int, optional
        Steps to do; None for as many as it takes.
    fraction : float
        Share of the work that is done, 0 to 1.
    seconds : float
        Computing time [s].
    rate : float
        Steps per second over the last seconds; 0 before the first.
    metrics : dict of str to float
        The algorithm's own numbers.
    message : str
        What went wrong, if anything did, or which rule ended the run.
    warnings : tuple of str
        Which hooks of the analysis failed, and how; the draws are not touched by it.
    rejected : str
        How many points the likelihood has rejected, and why; nothing where none.
    """

    state: str = COMPILING
    phase: str = COMPILING
    step: int = 0
    total: int | None = 0
    fraction: float = 0.0
    seconds: float = 0.0
    rate: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""
    warnings: tuple[str, ...] = ()
    rejected: str = ""

    @property
    def ended(self) -> bool:
        """Whether no more draws will come."""
        return self.state in ("completed", "stopped", "failed")

    @property
    def seconds_left(self) -> float | None:
        """Expected computing time to the end [s]; None before it can be told."""
        if self.total is not None:
            return (self.total - self.step) / self.rate if self.rate else None
        return self.seconds * (1 / self.fraction - 1) if self.fraction else None

    @property
    def steps(self) -> str:
        """Steps done, and of how many where that is known."""
        return f"{self.step}" + ("" if self.total is None else f" of {self.total}")

    def after(self, event: Event, rate: float = 0.0) -> RunStatus:
        """Return where the run is after an event, at a rate [steps/s]."""
        if isinstance(event, Started):
            fraction = event.step / event.total if event.total else 0.0
            return replace(
                self,
                total=event.total,
                step=event.step,
                seconds=event.seconds,
                fraction=min(fraction, 1.0),
            )
        if isinstance(event, PhaseChanged):
            return replace(self, phase=event.phase, state=event.phase)
        if isinstance(event, Advanced):
            return replace(
                self,
                step=event.step,
                total=event.total,
                fraction=event.fraction,
                seconds=event.seconds,
                metrics=event.metrics,
                rejected=event.rejected,
                rate=rate,
            )
        if isinstance(event, Finished):
            return replace(
                self,
                state=event.reason,
                fraction=1.0 if event.reason == "completed" else self.fraction,
                step=event.step,
                seconds=event.seconds,
                message=event.message,
            )
        if isinstance(event, Failed):
            message = f"{event.error}: {event.message}"
            return replace(self, state="failed", message=message)
        if isinstance(event, HookFailed):
            return replace(self, warnings=(*self.warnings, str(event)))
        return self
