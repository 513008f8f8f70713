"""What a person does with a run: pause, resume, stop, and say when it is to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ampynb.algorithms.algorithm import Algorithm
from ampynb.inference.run import Run, RunStatus
from ampynb.inference.stopping import StoppingRule, autocorr, ess, rhat, seconds
from ampynb.widgets.controls_view import ControlsView

__all__ = ["RunControls"]

RULES: dict[str, tuple[Callable[[float], StoppingRule], str]] = {
    "ESS at least": (ess, "400"),
    "R-hat at most": (rhat, "1.01"),
    "autocorrelation times": (autocorr, "50"),
    "seconds": (seconds, "600"),
}
BUTTONS = {
    "pause": "hold the run after the present chunk of steps",
    "resume": "let the run go on",
    "stop": "end the run and keep every draw",
}


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
        offered = _rules_for(run.algorithm) if run.takes_rules else []
        self.widget = ControlsView(rules={name: RULES[name][1] for name in offered})
        self.widget.on_request(self._act)

    def update(self, status: RunStatus) -> None:
        """Let those be pressed that do something now."""
        ending = status.ended or status.state == "stopping"
        held = status.state in ("pausing", "paused")
        idle = {"pause": ending or held, "resume": ending or not held, "stop": ending}
        self.widget.buttons = [
            {"do": do, "text": do.capitalize(), "title": title, "disabled": idle[do]}
            for do, title in BUTTONS.items()
        ]
        self.widget.ending = ending

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
        """Let a rule end the run; what is wrong with it is told in ``trouble``.

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
        """Do what the page asks for."""
        if content["do"] == "set":
            self.stop_when(content["rule"], content["number"])
        else:
            self.press(content["do"])


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
