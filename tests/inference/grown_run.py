"""How much memory a saved run takes: ``grown_run.py PATH``, in a process of its own.

It prints, in bytes, how much the process has grown after the run, after a look at its
result, and after its draws were gone through. Pages of mapped files do not count: the
system takes them back when it needs them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist

import ampynb as anb

NWALKERS, STEPS, NDIM = 100, 20_000, 20


class Normal(anb.Analysis):
    """Independent normal parameters."""

    def log_likelihood_function(self, instance: Any) -> Any:
        return -0.5 * jnp.sum(instance.x**2)


def own_memory() -> int:
    """Return the memory that is this process' own, files left out [bytes]."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(r"RssAnon:\s+(\d+) kB", status)
    return 1024 * int(kilobytes)


def main(path: Path) -> None:
    """Run twice, first for what is compiled and imported once."""
    model = anb.Model(x=dist.Normal(0.0, 10.0).expand([NDIM]))
    engine = anb.InferenceEngine(Normal(), model, seed=1)
    engine.run(NWALKERS, 2500, 0, path=path / "first", progress="none")
    before = own_memory()
    result = engine.run(NWALKERS, STEPS, 0, path=path / "run", progress="none")
    after_run = own_memory()
    assert result.draws.shape == (STEPS, NWALKERS, NDIM)
    assert result.log_likelihood > -100 and engine.sampler is not None
    stored = anb.open_run(path / "run")
    assert stored.draws[-1].shape == (NWALKERS, NDIM)
    after_look = own_memory()
    total = sum(float(rows.sum()) for rows in stored.draws)
    assert total == total
    for told in (after_run, after_look, own_memory()):
        print(told - before, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
