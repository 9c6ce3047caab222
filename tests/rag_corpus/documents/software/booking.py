"""Bookings of machines in Barnbook: who may have what, and when it becomes free again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

GRACE = timedelta(minutes=90)
"""So long a machine waits for whoever booked it (rules of the workshop, season 2024)."""

WAITING_LIST_ANSWER = timedelta(minutes=40)

HARVEST_MONTHS = (7, 8)


class BookingRefused(Exception):
    """The booking is against a rule; the message names the rule."""


@dataclass
class Booking:
    machine: int
    member: int
    start: datetime
    end: datetime
    fetched: datetime | None = None
    closed: datetime | None = None

    def is_lapsed(self, now: datetime) -> bool:
        """Not fetched in time: the machine is free for others and the deposit stays with us."""
        return self.fetched is None and now > self.start + GRACE


def check_limit(open_bookings: list[Booking], wanted: Booking) -> None:
    """A member holds five bookings at a time, two of them in harvest."""
    if len(open_bookings) >= 5:
        raise BookingRefused("five bookings are open already")
    in_harvest = [b for b in [*open_bookings, wanted] if b.start.month in HARVEST_MONTHS]
    if len(in_harvest) > 2:
        raise BookingRefused("two bookings in harvest are open already")


def overlapping(bookings: list[Booking], wanted: Booking) -> list[Booking]:
    """Half-open spans: one may end at the minute at which the next begins."""
    return [b for b in bookings if b.machine == wanted.machine and b.start < wanted.end and wanted.start < b.end]


def opening_code(booking_number: int) -> str:
    # A letter and four figures. I, O and Q are left out since August 2024: Owen Gale stood before
    # the Roundel for an hour with O0017.
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    return f"{letters[booking_number % len(letters)]}{booking_number % 10_000:04d}"
