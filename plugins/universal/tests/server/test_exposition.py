"""Prometheus' text format, as its own parser reads it."""

from __future__ import annotations

from llamafarm_universal.messages.statistics import Observations
from llamafarm_universal.server.exposition import Family, render
from prometheus_client.parser import text_string_to_metric_families


def parsed(*families: Family):
    return {family.name: family for family in text_string_to_metric_families(render(families))}


def test_a_gauge_and_a_counter_have_their_help_type_labels_and_values():
    odd = 'C:\\models\n"mine"'
    found = parsed(
        Family("llamafarm:held", "gauge", "What is held.", [((("model_name", odd),), 0.25)]),
        Family(
            "llamafarm:pages_total", "counter", "Pages so far.", [((("model_name", "m"), ("kind", "a")), 12345678901.0)]
        ),
    )
    gauge, counter = found["llamafarm:held"], found["llamafarm:pages"]
    assert (gauge.type, gauge.documentation, counter.type) == ("gauge", "What is held.", "counter")
    assert [(sample.labels, sample.value) for sample in gauge.samples] == [({"model_name": odd}, 0.25)]
    assert [(sample.name, sample.value) for sample in counter.samples] == [("llamafarm:pages_total", 12345678901.0)]


def test_buckets_hold_those_below_them():
    values = [((("model_name", "m"),), Observations((0.1, 2.5), (3, 0, 1), 9.5))]
    found = parsed(Family("llamafarm:wait_seconds", "histogram", "", values))["llamafarm:wait_seconds"]
    assert found.type == "histogram"
    assert [
        (sample.name.removeprefix("llamafarm:wait_seconds"), sample.labels.get("le"), sample.value)
        for sample in found.samples
    ] == [
        ("_bucket", "0.1", 3),
        ("_bucket", "2.5", 3),
        ("_bucket", "+Inf", 4),
        ("_sum", None, 9.5),
        ("_count", None, 4),
    ]


def test_a_metric_without_values_is_left_out():
    assert render([Family("llamafarm:held", "gauge", "What is held.")]) == ""
