"""What a batch of likelihoods takes of the device's memory, as the compiler says."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.posterior import Posterior

__all__ = ["memory_of_likelihoods"]


def memory_of_likelihoods(
    posterior: Posterior, batch_size: int, gradient: bool = False
) -> int:
    """Return the memory of ``batch_size`` likelihoods at once [bytes].

    See `Analysis.vram_use`.
    """
    is_count = isinstance(batch_size, int | np.integer)
    if not is_count or isinstance(batch_size, bool) or batch_size < 1:
        raise ValueError(
            f"expected batch_size as a whole number of at least 1; got {batch_size!r};"
            " give the number of walkers, chains or live points"
        )
    if not posterior.analysis.use_jax:
        raise ValueError(
            "expected an analysis in JAX, whose memory is the device's; got "
            "use_jax=False; measure the process instead"
        )
    shape = (int(batch_size), posterior.model.ndim)
    vectors = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    function = _gradients if gradient else _likelihoods
    analysed: Any = function.lower(posterior, vectors).compile().memory_analysis()
    if analysed is None:
        raise RuntimeError(
            "expected a compiler that tells the memory of a program; got "
            f"{jax.default_backend()}, which does not; watch the device instead"
        )
    return (
        analysed.argument_size_in_bytes
        + analysed.output_size_in_bytes
        + analysed.temp_size_in_bytes
        - analysed.alias_size_in_bytes
    )


@jax.jit
def _likelihoods(posterior: Posterior, vectors: jax.Array) -> jax.Array:
    return jax.vmap(posterior.log_likelihood)(vectors)


@jax.jit
def _gradients(posterior: Posterior, vectors: jax.Array) -> tuple:
    return jax.vmap(jax.value_and_grad(posterior.log_likelihood))(vectors)
