"""Which services a command means by the name that the user gives."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from llamafarm.cli import services
from llamafarm.errors import UsageError


def named(monkeypatch, *names: str):
    monkeypatch.setattr(services, "_services", lambda app: [SimpleNamespace(name=name) for name in names])
    return lambda name: [found.name for found in services._chosen(None, name)]


def test_a_service_is_meant_by_its_own_name(monkeypatch):
    chosen = named(monkeypatch, "lemonade", "lemonade:11535", "universal")
    assert chosen("lemonade") == ["lemonade"]
    assert chosen("lemonade:11535") == ["lemonade:11535"]


def test_the_name_of_a_provider_means_all_its_services_where_none_is_called_so(monkeypatch):
    chosen = named(monkeypatch, "lemonade:11534", "lemonade:11535", "universal")
    assert chosen("lemonade") == ["lemonade:11534", "lemonade:11535"]


def test_no_name_means_all(monkeypatch):
    assert named(monkeypatch, "lemonade:11534", "universal")(None) == ["lemonade:11534", "universal"]


def test_a_name_that_no_service_has_is_an_error_with_those_that_there_are(monkeypatch):
    with pytest.raises(UsageError, match="There is no service 'lemon'") as caught:
        named(monkeypatch, "lemonade:11534")("lemon")
    assert "lemonade:11534" in str(caught.value)
