"""LF_TRACE_PLUGINS=1: each step of discovery and each hook call, with its time."""

from __future__ import annotations

import re

import pytest
from llamafarm.plugins import trace
from llamafarm.plugins.manager import PluginManager

LINE = re.compile(r"plugins +\d+\.\d ms  (.+)")


@pytest.fixture
def told(install, provider_source, monkeypatch, capsys):
    """The steps that are printed while two plugins are loaded, `cow` and a broken `hen`."""

    def load(value: str) -> list[str]:
        monkeypatch.setenv("LF_TRACE_PLUGINS", value)
        install("acme-cow", provider_source("cow"))
        install("acme-hen", "raise RuntimeError('no eggs')")
        PluginManager().statuses()
        captured = capsys.readouterr()
        assert captured.out == ""
        return [LINE.fullmatch(line)[1] for line in captured.err.splitlines()]

    return load


def test_each_step_is_told_in_its_order(told):
    steps = told("1")
    assert steps[0] == "read the entry points of llamafarm.plugins"
    assert [step for step in steps if "cow" in step] == [
        "check what cow (acme-cow 1.0) requires",
        "import acme_cow",
        "register cow (acme-cow 1.0)",
        "cow (acme-cow 1.0): register_providers()",
    ]


def test_a_step_that_raises_is_told_with_what_it_raised(told):
    assert [step for step in told("1") if "hen" in step] == [
        "check what hen (acme-hen 1.0) requires",
        "import acme_hen: RuntimeError: no eggs",
    ]


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_told_unless_it_is_asked_for(told, value):
    assert told(value) == []


def test_what_is_not_told_costs_no_object(monkeypatch):
    monkeypatch.delenv("LF_TRACE_PLUGINS", raising=False)
    assert trace.step("one") is trace.step("another")
