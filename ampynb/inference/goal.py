"""What ends a run before its last step: a command, or a rule that may be changed."""

from __future__ import annotations

from ampynb.algorithms.algorithm import SAMPLING, Algorithm, Status
from ampynb.inference.stopping import Measures, StoppingRule
from ampynb.results.history import History

__all__ = ["Goal"]


class Goal:
    """The rule that a run is to meet, if there is one, and whether it has.

    Parameters
    ----------
    until : StoppingRule, optional
    history : History
    algorithm : Algorithm
    thin_by : int
        One in so many sampling steps is in the history.

    Attributes
    ----------
    stopped : bool
        Whether the run was told to stop.
    met : bool
    """

    def __init__(
        self,
        until: StoppingRule | None,
        history: History,
        algorithm: Algorithm,
        thin_by: int = 1,
    ):
        self._history, self._algorithm, self._thin_by = history, algorithm, thin_by
        self.stopped = self.met = False
        self._until, self._measures = until, self._measures_for(until)

    @property
    def is_reached(self) -> bool:
        """Whether the run is to end now."""
        return self.stopped or self.met

    def change(self, until: StoppingRule | None) -> None:
        """Go by another rule from now on, or by none.

        The draws so far are looked at at once, so that a rule which they meet ends the
        run where it is.
        """
        seconds = self._measures.seconds
        self._until, self._measures = until, self._measures_for(until)
        self._measures.look()
        self._judge(seconds)

    def look(self, seconds: float) -> None:
        """Judge the draws so far, which took so long [s]."""
        self._measures.look_if_due()
        self._judge(seconds)

    def most_steps(self, status: Status) -> int:
        """Return how many steps may be made before the next look."""
        if self._until is None or status.phase != SAMPLING:
            return status.remaining
        look = self._algorithm.burn + self._measures.next_look() * self._thin_by
        return min(status.remaining, look - status.step)

    def fraction(self, status: Status, phase: str) -> float:
        """Return the share of the work that is done, 0 to 1."""
        if self._until is None or phase != SAMPLING:
            return status.fraction
        return max(status.fraction, self._until.fraction(self._measures))

    def told(self, status: Status) -> str:
        """Return how the run ended, in words; nothing where there was no rule."""
        until, knew_itself = self._until, status.done and status.total is None
        if until is None or (knew_itself and not self.met):
            return ""
        if self.met:
            return f"ended by {until}: {until.told(self._measures)}"
        return (
            f"ended before {until}: {until.told(self._measures)}; run longer, which "
            "resume=True does"
        )

    def _judge(self, seconds: float) -> None:
        self._measures.seconds = seconds
        self.met = self._until is not None and self._until.is_met(self._measures)

    def _measures_for(self, until: StoppingRule | None) -> Measures:
        rows = 1 if until is None else until.rows(self._algorithm.nwalkers)
        return Measures(self._history, self._algorithm, rows)
