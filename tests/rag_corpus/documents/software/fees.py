"""What a booking costs: hire, late return, cancellation. Amounts are whole cents, never floats."""

from __future__ import annotations

from datetime import datetime
from math import ceil

LATE_CENTS_PER_HOUR = 3000
CANCELLED_HOURS_BEFORE = 48
RAIN_MM_FOR_FREE_CANCELLATION = 5.0
CLEAN_RECORD = 10
"""So many bookings closed without complaint free a member from the deposit."""


def late_fee(due: datetime, returned: datetime) -> int:
    """Each hour begun counts; a minute late is an hour, which people learn once."""
    seconds = (returned - due).total_seconds()
    return 0 if seconds <= 0 else ceil(seconds / 3600) * LATE_CENTS_PER_HOUR


def cancellation_fee(hire: int, start: datetime, cancelled: datetime, rain_mm: float) -> int:
    """A third of the hire, rounded down to the cent in favour of the member."""
    if rain_mm > RAIN_MM_FOR_FREE_CANCELLATION:
        return 0
    hours = (start - cancelled).total_seconds() / 3600
    return hire // 3 if hours < CANCELLED_HOURS_BEFORE else 0


def deposit(history: list[bool]) -> int:
    """95 euros, or nothing after ten clean bookings in a row. `history` is oldest first, True for clean."""
    recent = history[-CLEAN_RECORD:]
    return 0 if len(recent) == CLEAN_RECORD and all(recent) else 9500


def settle_bales(count: int, cents_per_bale: int, is_member: bool) -> int:
    # Guests pay for at least twenty bales: the way there and back is not worth less. Asked for by
    # Tom Hale on 3 June 2024 after a birthday party with two bales.
    return (count if is_member else max(count, 20)) * cents_per_bale
