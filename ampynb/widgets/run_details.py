"""What is behind a run's numbers: each chain, each temperature, the live points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.inference.run import Run
from ampynb.model.circle import directions, in_one_piece
from ampynb.results.live_numbers import r_hat_without

__all__ = ["details_html", "tables_of"]

MOST_CHAINS = 32
MOST_CHAINS_COMPARED = 8
MOST_PARAMETERS = 6
MOST_ROWS = 400

Table = tuple[str, Mapping[str, Sequence[str]]]
"""A caption, and columns of text by name."""


def details_html(run: Run) -> str:
    """Return the tables of a run as HTML."""
    return "".join(_html(*table) for table in tables_of(run)) or "nothing drawn yet"


def tables_of(run: Run) -> Iterator[Table]:
    """Yield tables of chains and temperatures, or of live points."""
    history = run.history
    phase = SAMPLING if history.steps(SAMPLING) else WARMUP
    if history.live is not None:
        yield _of_live_points(run)
    if history.tally[phase].last("beta") is not None:
        yield _of_temperatures(run, phase)
    if history.steps(phase) and run.algorithm.draws_chains:
        yield _of_chains(run, phase)


def _of_chains(run: Run, phase: str) -> Table:
    tally, algorithm = run.history.tally[phase], run.algorithm
    _, rows = run.history.thinned(MOST_ROWS, phase)
    n = rows.shape[1]
    word = "chain" if algorithm.independent_chains else "walker"
    columns: dict[str, Sequence[str]] = {word: [f"{i + 1}" for i in range(n)]}
    for name in ("acceptance_rate", "accepted"):
        if (rate := tally.mean(name)) is not None:
            columns["acceptance rate"] = [f"{one:.2f}" for one in rate]
    if (diverging := tally.total("diverging")) is not None:
        columns["divergences"] = [f"{one}" for one in diverging]
    if (step_size := tally.last("step_size")) is not None:
        columns["step size"] = [f"{one:.3g}" for one in step_size]
    few = 3 <= n <= MOST_CHAINS_COMPARED
    if algorithm.independent_chains and phase == SAMPLING and few:
        without = r_hat_without(directions(rows, run.history.periods))
        columns["worst R-hat without it"] = [f"{one:.3f}" for one in without]
    names = run.posterior.model.names[:MOST_PARAMETERS]
    whole = in_one_piece(rows, run.history.periods)
    for name, means in zip(names, whole.mean(axis=0).T, strict=False):
        columns[f"mean {name}"] = [f"{one:.5g}" for one in means]
    during = "" if phase == SAMPLING else ", in the warm-up"
    shown = "" if n <= MOST_CHAINS else f": {MOST_CHAINS} of {n}"
    first = {name: texts[:MOST_CHAINS] for name, texts in columns.items()}
    return f"{word}s{shown}{during}", first


def _of_temperatures(run: Run, phase: str) -> Table:
    tally = run.history.tally[phase]
    beta, rates = tally.last("beta"), tally.mean("swap_rate")
    mean = tally.mean("log_likelihood_mean")
    assert beta is not None and rates is not None and mean is not None
    return "temperatures", {
        "temperature": ["∞" if one == 0 else f"{1 / one:.4g}" for one in beta],
        "beta": [f"{one:.4g}" for one in beta],
        "swaps with the next": [*(f"{one:.2f}" for one in rates), ""],
        "mean ln likelihood": [f"{one:.4g}" for one in mean],
    }


def _of_live_points(run: Run) -> Table:
    live = run.history.live
    assert live is not None
    names = run.posterior.model.names
    flat = live.position.reshape(-1, live.position.shape[-1])
    flat = in_one_piece(flat, run.history.periods)
    low, middle, high = np.quantile(flat, (0.0, 0.5, 1.0), axis=0)
    log_likelihood = live.stats["log_likelihood"]
    worst, best = np.min(log_likelihood), np.max(log_likelihood)
    caption = f"{len(flat)} live points, ln likelihood {worst:.5g} to {best:.5g}"
    return caption, {
        "parameter": names,
        "lowest": [f"{one:.5g}" for one in low],
        "median": [f"{one:.5g}" for one in middle],
        "highest": [f"{one:.5g}" for one in high],
    }


def _html(caption: str, columns: Mapping[str, Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>"
        for row in zip(*columns.values(), strict=True)
    )
    return (
        '<div class="ampynb-run-table" tabindex="0"><table>'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
