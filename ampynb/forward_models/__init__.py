"""Ready forward models: pure JAX functions of one set of parameters."""

from ampynb.forward_models.afterglow import smoothly_broken_power_law

__all__ = ["smoothly_broken_power_law"]
