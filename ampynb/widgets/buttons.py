"""The explorer's buttons: what each is called, when it can be pressed, what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ampynb.widgets.explorer import FitExplorer

__all__ = ["SLOW", "buttons_of", "press"]

SLOW = frozenset({"optimise", "sample", "prior band", "posterior band"})


def press(explorer: FitExplorer, content: dict[str, Any]) -> None:
    """Do what a message of the view asks for.

    Raises
    ------
    ValueError
        For a message that no button sends.
    """
    done, name = content["do"], content.get("name", "")
    actions = {
        "undo": explorer.undo,
        "redo": explorer.redo,
        "fix": lambda: explorer.fix(name),
        "free": lambda: explorer.free(name),
        "prior median": lambda: explorer.reset("prior median"),
        "prior draw": lambda: explorer.reset("prior draw"),
        "best": lambda: explorer.reset("best"),
        "posterior median": lambda: explorer.reset("posterior median"),
        "draw": lambda: explorer.draw(int(content["n"])),
        "optimise": explorer.optimise,
        "stop": explorer.stop_optimising,
        "sample": explorer.sample,
        "snapshot": explorer.snapshot,
        "restore": lambda: explorer.restore(name),
        "clear": explorer.clear_snapshots,
        "prior band": lambda: explorer.band("prior", "prior" not in explorer.bands),
        "posterior band": lambda: explorer.band(
            "posterior", "posterior" not in explorer.bands
        ),
    }
    if done not in actions:
        raise ValueError(f"expected one of {', '.join(actions)}; got {done!r}")
    actions[done]()


def buttons_of(explorer: FitExplorer) -> list[dict[str, Any]]:
    """Return the buttons as they are now, in order."""
    history, result = explorer.history, explorer.result
    buttons = [
        _button("undo", "↶ Undo", "take back the last change", history.can_undo),
        _button("redo", "↷ Redo", "do again what was undone", history.can_redo),
        _button("prior median", "Prior median", "go to the median of each prior"),
        _button("prior draw", "Prior draw", "go to a random draw from the prior"),
        _button(
            "best",
            "Best fit",
            "go to the best point of the result or of the optimiser",
            explorer.has_best,
        ),
    ]
    if result is not None:
        last = len(result.flat_draws) - 1
        title = "go to the median of each parameter's draws"
        buttons += [
            _button("posterior median", "Posterior median", title),
            {**_button("draw", "Draw", f"go to draw 0 to {last}"), "most": last},
        ]
    if explorer.is_optimising:
        buttons.append(_button("stop", "■ Stop optimising", "keep the point as it is"))
    else:
        title = "climb from here to the nearest maximum of the posterior"
        buttons.append(_button("optimise", "Optimise", title))
    buttons.append(
        _button("sample", "Sample", "start a sampler here, with its monitor")
    )
    title = "keep the present curve in grey, with its numbers"
    buttons.append(_button("snapshot", "Snapshot", title))
    if explorer.snapshots:
        buttons.append(_button("clear", "Clear snapshots", "forget all snapshots"))
    for kind in ("prior", "posterior") if explorer.draws_curves else ():
        if kind == "prior" or result is not None:
            title = f"shade the central 68 % of the curves of {kind} draws"
            button = _button(f"{kind} band", f"{kind.capitalize()} band", title)
            buttons.append({**button, "pressed": kind in explorer.bands})
    title = "copy the Python that makes this point"
    buttons.append(_button("copy", "Copy as code", title))
    return buttons


def _button(do: str, text: str, title: str, enabled: bool = True) -> dict[str, Any]:
    return {"do": do, "text": text, "title": title, "disabled": not enabled}
