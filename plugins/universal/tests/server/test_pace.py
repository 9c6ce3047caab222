"""When a refused client is told to come back."""

from __future__ import annotations

import pytest
from llamafarm_universal.server.pace import LONGEST_SECONDS, SHORTEST_SECONDS, UNKNOWN_SECONDS, Pace


def paced(*, every: float, places: int = 1, times: int = 10) -> Pace:
    pace = Pace()
    for i in range(times):
        pace.note(i * every, places)
    return pace


def test_without_a_pace_it_is_a_guess():
    assert Pace().retry_after(0.0, 1) == UNKNOWN_SECONDS
    assert paced(every=1.0, times=1).retry_after(5.0, 1) == UNKNOWN_SECONDS


def test_it_is_the_time_in_which_so_many_places_are_given_back():
    assert paced(every=4.0).retry_after(40.0, 2) == pytest.approx(8.0)
    assert paced(every=4.0, places=2).retry_after(40.0, 2) == pytest.approx(4.0)


def test_who_is_refused_later_is_told_to_come_later():
    pace = paced(every=4.0)
    assert [round(pace.retry_after(40.0, 1)) for _ in range(3)] == [4, 8, 12]
    assert round(pace.retry_after(48.0, 1)) == 9  # 4 s of what was promised are left, and the pace has sunk


def test_it_is_at_least_and_at_most_what_clients_wait():
    assert paced(every=0.001).retry_after(0.01, 1) == SHORTEST_SECONDS
    assert paced(every=100.0).retry_after(1000.0, 1) == LONGEST_SECONDS
