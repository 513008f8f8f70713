"""Small sets of real data, with their units and where they come from."""

from ampynb.datasets.afterglow import AfterglowData, load_gw170817
from ampynb.datasets.radial_velocity import RadialVelocityData, load_k2_24

__all__ = ["AfterglowData", "RadialVelocityData", "load_gw170817", "load_k2_24"]
