"""What the monitor costs: the same run with it beside itself without.

The five-parameter fit of ``ensemble.py`` by walkers and by NUTS: cheap, so that draws
come as fast as they ever do. There is no page, which would take time of its own. The
first picture costs some 0.2 s, all that come later a bounded share of the time: the
runs last some 20 s, as those do that people watch. ``samplers.py`` runs it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpyro.distributions as dist
from contest import Contest
from ensemble import NDIM, NOISE, NWALKERS, POSITION, Curve, X, Y

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.widgets.monitor import RunMonitor

OPTIONS: dict[str, dict[str, Any]] = {
    "ensemble": {"nwalkers": NWALKERS, "start": Start(POSITION), "iterations": 150_000},
    "nuts": {"nwalkers": 4, "iterations": 3_000},
}


def run(sampler: str, watched: bool, seed: int) -> float:
    """Run once, watched or not, and return the steps that were made."""
    model = anb.Model(p=dist.Uniform(-5, 5).expand([NDIM]))
    engine = anb.InferenceEngine(Curve(X, Y, NOISE), model, seed=seed)
    options = {"burn": 200, "sampler": sampler, "progress": "none", **OPTIONS[sampler]}
    going = engine.start(**options)
    monitor = RunMonitor(going) if watched else None
    if monitor is not None:
        monitor.mimebundle()
    going.wait()
    if monitor is not None:
        monitor.close()
    return going.status.step


CONTESTS = [
    Contest(
        f"{sampler} with the monitor / without",
        functools.partial(run, sampler, True),
        functools.partial(run, sampler, False),
        0.98,
    )
    for sampler in OPTIONS
]
