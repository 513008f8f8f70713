"""What a person does with a run: pause, resume, stop, and say when it is to stop."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from ampynb.algorithms.algorithm import Algorithm
from ampynb.inference.run import Run, RunStatus
from ampynb.inference.stopping import StoppingRule, autocorr, ess, rhat, seconds

__all__ = ["RunControls"]

NO_RULE = "no rule"
RULES: dict[str, tuple[Callable[[float], StoppingRule], str]] = {
    "ESS at least": (ess, "400"),
    "R-hat at most": (rhat, "1.01"),
    "autocorrelation times": (autocorr, "50"),
    "seconds": (seconds, "600"),
}
BUTTONS = {
    "Pause": ("pause", "hold the run after the present chunk of steps"),
    "Resume": ("play", "let the run go on"),
    "Stop": ("stop", "end the run and keep every draw"),
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
    widget : ipywidgets.Widget
    """

    def __init__(self, run: Run):
        self.run, self.trouble = run, ""
        fitting = ipywidgets.Layout(width="auto", min_width="5.5em")
        self.buttons = {
            word: ipywidgets.Button(
                description=word, icon=icon, tooltip=tooltip, layout=fitting
            )
            for word, (icon, tooltip) in BUTTONS.items()
        }
        for word, action in (
            ("Pause", run.pause),
            ("Resume", run.resume),
            ("Stop", run.stop),
        ):
            self.buttons[word].on_click(lambda _, action=action: action())
        self.rule = ipywidgets.Dropdown(
            options=[NO_RULE, *_rules_for(run.algorithm)],
            description="Stop when",
            tooltip="the rule that is to end the run",
            style={"description_width": "auto"},
            layout=ipywidgets.Layout(width="17.5em", max_width="100%"),
        )
        self.number = ipywidgets.Text(
            disabled=True,
            placeholder="number",
            tooltip="the number of the rule",
            layout=ipywidgets.Layout(width="6em"),
        )
        self.number.add_class("ampynb-rule-number")
        self.set = ipywidgets.Button(
            description="Set", tooltip="let this rule end the run", layout=fitting
        )
        self.rule.observe(lambda _: self._propose(), "value")
        self.set.on_click(lambda _: self._stop_when())
        row = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        rule = [self.rule, self.number, self.set] if run.takes_rules else []
        self.widget = ipywidgets.HBox([*self.buttons.values(), *rule], layout=row)

    def update(self, status: RunStatus) -> None:
        """Let those be pressed that do something now."""
        ending = status.ended or status.state == "stopping"
        held = status.state in ("pausing", "paused")
        self.buttons["Pause"].disabled = ending or held
        self.buttons["Resume"].disabled = ending or not held
        self.buttons["Stop"].disabled = ending
        self.rule.disabled = self.set.disabled = ending
        self.number.disabled = ending or self.rule.value == NO_RULE

    def _propose(self) -> None:
        """Put the usual number of a rule into the box."""
        chosen = str(self.rule.value)
        self.number.value = "" if chosen == NO_RULE else RULES[chosen][1]
        self.number.disabled = chosen == NO_RULE

    def _stop_when(self) -> None:
        try:
            self.run.stop_when(self._asked_for())
        except (ValueError, RuntimeError) as error:
            self.trouble = str(error)
        else:
            self.trouble = ""

    def _asked_for(self) -> StoppingRule | None:
        """Return the rule in the boxes."""
        chosen = str(self.rule.value)
        if chosen == NO_RULE:
            return None
        rule, usual = RULES[chosen]
        try:
            number = float(self.number.value)
        except ValueError:
            raise ValueError(
                f"expected a number for {chosen!r}; got "
                f"{self.number.value!r}; give for instance {usual}"
            ) from None
        return rule(number)


def _rules_for(algorithm: Algorithm) -> list[str]:
    """Return the rules that can judge a sampler; R-hat compares independent chains."""
    if not algorithm.draws_chains:
        return ["seconds"]
    comparable = algorithm.independent_chains and algorithm.nwalkers > 1
    return [name for name in RULES if comparable or name != "R-hat at most"]
