"""Moisture of grain: readings of the dryers' probes, corrected, and the weight that is paid for."""

from __future__ import annotations

from statistics import median

BASE = {"wheat": 14.0, "barley": 14.5, "oats": 13.5, "rape": 8.0}
"""The moisture in per cent at which a tonne is a tonne."""

PROBE_OFFSET = {"gd300-in": 0.0, "gd300-out": -0.3, "gd30-1": 0.2, "gd30-2": 0.4, "gd30-3": 0.2}
"""Found by comparing with the laboratory's oven in June 2025; to be measured again each June."""

WARM_GRAIN_ABOVE = 25.0


def corrected(probe: str, percent: float, grain_celsius: float) -> float:
    """Warm grain reads too wet: a tenth of a point for each three degrees above 25 is taken off."""
    excess = max(0.0, grain_celsius - WARM_GRAIN_ABOVE)
    return percent + PROBE_OFFSET[probe] - 0.1 * excess / 3


def smoothed(readings: list[float]) -> float:
    """The median of the last nine readings; the mean was pulled about by stones and once by a mouse."""
    return median(readings[-9:])


def paid_weight(kilograms: float, percent: float, crop: str) -> float:
    """The weight of the load at the base moisture, less a shrink of 0.25 per cent for handling.

    Drier grain than the base is not paid for as heavier: the board decided so in 2016.
    """
    base = BASE[crop]
    dry_share = (100 - max(percent, base)) / (100 - base)
    return kilograms * dry_share * 0.9975
