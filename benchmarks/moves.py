"""The default mixture of moves beside the stretch move, in effective samples.

The afterglow of GW170817 and the model of the quickstart notebook, 32 walkers. The work
is the least rank-normalised effective sample size of a parameter (Vehtari et al. 2021).
``samplers.py`` runs it.
"""

from __future__ import annotations

from typing import Any

import arviz
import numpy as np
import numpyro.distributions as dist
from contest import Contest

import ampynb as anb

NWALKERS, STEPS, BURN, THIN = 32, 80_000, 4000, 10
MODEL = anb.Model(
    peak_flux=dist.LogUniform(0.01, 1),
    peak_time=dist.LogUniform(50, 500),
    beta=dist.Uniform(0, 1),
    alpha_1=dist.Uniform(0, 3),
    alpha_2=dist.Normal(-2.2, 0.5),
    smoothness=dist.LogNormal(np.log(2), 0.5),
)
START = MODEL.instance_from_vector(np.array([0.1, 160, 0.58, 0.9, -2, 2]))


class Afterglow(anb.Analysis):
    """The light curve in all bands."""

    def __init__(self, data):
        super().__init__()
        self.time, self.frequency = data.time, data.frequency
        self.flux, self.flux_err = data.flux, data.flux_err

    def fit_from(self, instance):
        """Return the fit of one instance."""
        model = anb.forward_models.smoothly_broken_power_law(
            self.time, self.frequency, **vars(instance)
        )
        return anb.GaussianFit(data=self.flux, noise=self.flux_err, model=model)


def effective_samples(moves: Any, seed: int) -> float:
    """Run once, and return the least effective sample size."""
    analysis = Afterglow(anb.datasets.load_gw170817())
    sampler = anb.Ensemble(**({} if moves is None else {"moves": moves}))
    result = anb.InferenceEngine(analysis, MODEL, seed=seed).run(
        NWALKERS, STEPS, BURN, sampler, start=START, progress="none"
    )
    draws = np.moveaxis(result.draws[::THIN], 1, 0)
    return min(float(arviz.ess(draws[..., i])) for i in range(MODEL.ndim))


CONTESTS = [
    Contest(
        "afterglow: default moves / stretch, effective samples",
        lambda seed: effective_samples(None, seed),
        lambda seed: effective_samples("stretch", seed),
        2,
    )
]
