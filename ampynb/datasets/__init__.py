"""Small sets of real data, with their units and where they come from."""

from ampynb.datasets.afterglow import AfterglowData, load_gw170817

__all__ = ["AfterglowData", "load_gw170817"]
