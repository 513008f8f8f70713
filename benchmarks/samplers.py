"""Our samplers beside the peers that a user would pick: one table of ratios.

Each contest is held in turns in this process, ampynb with its monitor on unless saving
or the monitor itself is what is compared. A ratio is what ampynb does in the time in
which the peer does one: by wall time and by CPU time of all threads, the median of the
rounds and their span; the bar is what the ratio is to be, or more. Ratios and not
rates, for the machine's speed drops out of them.

Run ``python benchmarks/samplers.py`` for all, or name some: ``python
benchmarks/samplers.py nuts nested``. It takes some ten minutes on two cores, and needs
``pip install -e '.[test]'``, and ptemcee for its part.
"""

from __future__ import annotations

import importlib
import os
import sys

PARTS = (
    "ensemble",
    "moves",
    "tempered",
    "nuts",
    "nested",
    "checkpointing",
    "monitor",
)


def main(parts: tuple[str, ...]) -> None:
    """Print the table, row by row."""
    # No compiled program of an earlier session: first runs are first runs.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    from contest import HEAD, row

    print(HEAD, flush=True)
    for part in parts:
        try:
            contests = importlib.import_module(part).CONTESTS
        except ModuleNotFoundError as error:
            if error.name != "ptemcee":
                raise
            print(f"{part}: left out, for want of ptemcee", flush=True)
            continue
        for contest in contests:
            print(row(contest), flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or PARTS)
