"""What holds for all tests."""

import os
import signal
from collections.abc import Iterator

import pytest

# A runner in the background ignores interrupts, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Most tests compile for longer than they compute. With "false" they run as users do.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")


@pytest.fixture(scope="module")
def all_optimisations() -> Iterator[None]:
    """Compile as users do, where the last bit of different programs is compared."""
    import jax

    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, False)
    jax.clear_caches()
    yield
    jax.config.update(name, before)
    jax.clear_caches()
