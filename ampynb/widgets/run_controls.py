"""What a person does with a run: pause, resume, stop, and say when it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ampynb.algorithms.algorithm import Algorithm
from ampynb.inference.loop import COMPILING
from ampynb.inference.run import Run, RunStatus
from ampynb.inference.stopping import StoppingRule, autocorr, ess, rhat, seconds
from ampynb.widgets.controls_view import ControlsView

__all__ = ["RunControls", "state_text"]

RULES: dict[str, tuple[Callable[[float], StoppingRule], str]] = {
    "ESS at least": (ess, "400"),
    "R-hat at most": (rhat, "1.01"),
    "autocorrelation times": (autocorr, "50"),
    "seconds": (seconds, "600"),
}
BUTTONS = {
    "pause": ("pausing", "hold the run after the present chunk of steps"),
    "resume": ("resuming", "let the run go on"),
    "stop": ("stopping", "end the run and keep every draw"),
}
SIGNS = {  # of shapes that every font has
    "compiling": "○",
    "warmup": "◐",
    "sampling": "●",
    "pausing": "‖",
    "paused": "‖",
    "resuming": "▶",
    "stopping": "■",
    "completed": "✓",
    "stopped": "■",
    "failed": "✗",
}
PASSING = (COMPILING, "pausing", "stopping")  # states that a person waits to see end


class RunControls:
    """Buttons and the rule of a run.

    A click only leaves word: the run answers at the end of its chunk of steps.

    Parameters
    ----------
    run : Run

    Attributes
    ----------
    trouble : str
        What was wrong with the rule that was asked for, in words.
    widget : ControlsView
    """

    def __init__(self, run: Run):
        self.run, self.trouble = run, ""
        self._updating = threading.Lock()
        self._began = ("", 0.0)  # what is awaited, and since when
        offered = _rules_for(run.algorithm) if run.takes_rules else []
        rules = {name: RULES[name][1] for name in offered}
        self.widget = ControlsView(self._act, rules=rules)

    def update(self) -> None:
        """Show where the run is, and let those be pressed that do something now."""
        with self._updating:  # what is older is never shown after what is newer
            status = self.run.status
            ending = status.ended or status.state == "stopping"
            held = status.state in ("pausing", "paused")
            idle = {"pause": ending or held, "resume": ending or not held}
            self.widget.buttons = [
                {
                    "do": do,
                    "text": do.capitalize(),
                    "title": title,
                    "disabled": idle.get(do, ending),
                    "asked": f"{SIGNS[asked]} {asked}",
                }
                for do, (asked, title) in BUTTONS.items()
            ]
            self.widget.ending = ending
            self.widget.state = self._state(status)

    def _state(self, status: RunStatus) -> dict[str, Any]:
        """Return the state as the page shows it."""
        text, more = state_text(self.run, status)
        state = {"text": text, "more": more}
        if status.state not in PASSING:
            self._began = ("", 0.0)
            return state
        awaited = COMPILING if status.phase == COMPILING else status.state
        if self._began[0] != awaited:
            compiles = awaited == COMPILING
            began = self.run.last_event if compiles else time.monotonic()
            self._began = (awaited, began)
        return {**state, "seconds": int(time.monotonic() - self._began[1])}

    def press(self, do: str) -> None:
        """Do what one of the buttons does.

        Raises
        ------
        ValueError
            For a name that no button has.
        """
        if do not in BUTTONS:
            raise ValueError(f"expected one of {', '.join(BUTTONS)}; got {do!r}")
        getattr(self.run, do)()

    def stop_when(self, rule: str, number: str) -> None:
        """Let a rule end the run; ``trouble`` says what is wrong with the rule.

        Parameters
        ----------
        rule : str
            As the view offers it; empty for none.
        number : str
            As it was typed.
        """
        try:
            self.run.stop_when(_rule_of(rule, number) if rule else None)
        except (ValueError, RuntimeError) as error:
            self.trouble = str(error)
        else:
            self.trouble = ""

    def _act(self, content: dict[str, Any]) -> None:
        """Do what the page asks for, and show what comes of it."""
        if content["do"] == "set":
            self.stop_when(content["rule"], content["number"])
        else:
            self.press(content["do"])
        self.update()


def state_text(run: Run, status: RunStatus) -> tuple[str, str]:
    """Return the state of a run with its sign, and what it is a run of."""
    algorithm = run.algorithm
    waits = status.state in ("pausing", "stopping") and status.phase == COMPILING
    text = f"{SIGNS.get(status.state, '')} {status.state}" + waits * ": compiling"
    more = (
        f"{algorithm.name}, {_many(algorithm)}, {run.posterior.model.ndim} parameters"
    )
    if status.ended and status.state != "failed" and status.message:
        more += f" · {status.message}"
    return text, more


def _many(algorithm: Algorithm) -> str:
    """Return how many walkers, chains or points there are."""
    of_chains = "chains" if algorithm.independent_chains else "walkers"
    word = of_chains if algorithm.draws_chains else "live points"
    return f"{algorithm.nwalkers} {word}"


def _rule_of(name: str, number: str) -> StoppingRule:
    """Return a rule by its name, with its number as it was typed."""
    rule, usual = RULES[name]
    try:
        value = float(number)
    except ValueError:
        raise ValueError(
            f"expected a number for {name!r}; got {number!r}; give for instance {usual}"
        ) from None
    return rule(value)


def _rules_for(algorithm: Algorithm) -> list[str]:
    """Return the rules that can judge a sampler; R-hat compares independent chains."""
    if not algorithm.draws_chains:
        return ["seconds"]
    comparable = algorithm.independent_chains and algorithm.nwalkers > 1
    return [name for name in RULES if comparable or name != "R-hat at most"]
