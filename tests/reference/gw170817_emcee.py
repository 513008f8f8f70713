"""Make ``gw170817_emcee.json``: the afterglow posterior by plain emcee alone.

Nothing of ampynb is used: the model, the priors and the sampler are written out
in NumPy and emcee, so that the numbers are independent of what they test. Run
``python tests/reference/gw170817_emcee.py``; it takes a few minutes.
"""

import json
import pathlib

import emcee
import numpy as np

HERE = pathlib.Path(__file__).parent
DATA = HERE.parents[1] / "ampynb" / "datasets" / "gw170817_afterglow.csv"
NAMES = ["peak_flux", "peak_time", "beta", "alpha_1", "alpha_2", "smoothness"]
LOWER = np.array([0.01, 50.0, 0.0, 0.0, -np.inf, 0.0])
UPPER = np.array([1.0, 500.0, 1.0, 3.0, np.inf, np.inf])
START = np.array([0.1, 150.0, 0.58, 0.9, -2.2, 2.0])
NWALKERS, STEPS, BURN, SEED = 256, 80_000, 10_000, 20170817

time, flux, frequency, flux_err = np.genfromtxt(DATA, delimiter=",", skip_header=1).T


def log_posterior(theta):
    """Log posterior of a batch of parameter vectors, shape (n, 6) -> (n,)."""
    inside = np.all((theta > LOWER) & (theta < UPPER), axis=1)
    theta = np.where(inside[:, None], theta, START)
    peak_flux, peak_time, beta, alpha_1, alpha_2, s = theta.T[:, :, None]
    # Log-uniform, log-uniform, uniform, uniform, normal, log-normal; constants dropped.
    log_prior = -np.log(peak_flux * peak_time * s)
    log_prior -= 0.5 * ((alpha_2 + 2.2) / 0.5) ** 2
    log_prior -= 0.5 * ((np.log(s) - np.log(2.0)) / 0.5) ** 2
    log_time = np.log(time / peak_time)
    bends = np.logaddexp(-s * alpha_1 * log_time, -s * alpha_2 * log_time)
    model = peak_flux * (frequency / 3e9) ** -beta * np.exp((np.log(2) - bends) / s)
    log_likelihood = -0.5 * np.sum(((flux - model) / flux_err) ** 2, axis=1)
    return np.where(inside, log_prior[:, 0] + log_likelihood, -np.inf)


def main():
    """Sample, then write means, standard deviations and their standard errors."""
    np.random.seed(SEED)  # noqa: NPY002 (emcee 3 draws from the global state)
    start = START * (1 + 0.01 * np.random.default_rng(SEED).normal(size=(NWALKERS, 6)))
    # No snooker move: with it the mean smoothness came out 0.5 % low, six standard
    # errors from importance sampling of the same posterior.
    moves = [(emcee.moves.StretchMove(), 0.4), (emcee.moves.DEMove(), 0.6)]
    sampler = emcee.EnsembleSampler(
        NWALKERS, 6, log_posterior, vectorize=True, moves=moves
    )
    sampler.run_mcmc(start, STEPS)
    tau = sampler.get_autocorr_time(discard=BURN)
    draws = np.asarray(sampler.get_chain(discard=BURN, thin=10, flat=True))
    effective = (STEPS - BURN) * NWALKERS / tau
    sd = draws.std(axis=0, ddof=1)
    moments = {
        name: {
            "mean": draws[:, i].mean(),
            "sd": sd[i],
            "standard_error": sd[i] / np.sqrt(effective[i]),
            "autocorrelation_time": tau[i],
        }
        for i, name in enumerate(NAMES)
    }
    made = {
        "how": f"emcee {emcee.__version__}, {NWALKERS} walkers, {STEPS} steps, first"
        f" {BURN} dropped, seed {SEED}; see gw170817_emcee.py",
        "acceptance_fraction": sampler.acceptance_fraction.mean(),
        "moments": moments,
    }
    (HERE / "gw170817_emcee.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
