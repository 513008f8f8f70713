"""Ready forward models: pure JAX functions of one set of parameters."""

from ampynb.forward_models.afterglow import smoothly_broken_power_law
from ampynb.forward_models.radial_velocity import circular_velocity, planet_mass

__all__ = ["circular_velocity", "planet_mass", "smoothly_broken_power_law"]
