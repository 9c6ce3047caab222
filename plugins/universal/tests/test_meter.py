"""What an engine counts."""

from __future__ import annotations

import pytest
from llamafarm_universal.engine import Meter, ModelRef
from llamafarm_universal.messages.statistics import Observations, Stats

REF = ModelRef("org/model")


def test_what_was_counted_is_told_once() -> None:
    meter = Meter()
    meter.count("pages", 2)
    meter.count("pages")
    meter.count("ends", reason="stop")
    assert meter.take(REF) == Stats(REF, {}, {("pages", ()): 3, ("ends", (("reason", "stop"),)): 1})
    assert meter.take(REF) is None


def test_values_are_counted_in_the_bucket_up_to_the_next_bound() -> None:
    meter = Meter()
    meter.histogram("wait_seconds", (0.5, 1.0))
    for value in (0.5, 0.75, 4.0):
        meter.observe("wait_seconds", value)
    meter.observe("wait_seconds", 0.25, times=4)
    stats = meter.take(REF)
    assert stats and stats.observations == {"wait_seconds": Observations((0.5, 1.0), (5, 1, 1), 6.25)}
    assert meter.take(REF) is None


def test_a_gauge_is_told_when_it_has_changed() -> None:
    meter, held = Meter(), [1]
    meter.gauge("held", lambda: held[0])
    stats = meter.take(REF)
    assert stats and stats.gauges == {"held": 1}
    assert meter.take(REF) is None
    held[0] = 2
    stats = meter.take(REF)
    assert stats and stats.gauges == {"held": 2}


@pytest.mark.parametrize("name", ["", "Held", "held:now", "1st", "held now"])
def test_a_name_that_prometheus_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a metric"):
        Meter().count(name)
