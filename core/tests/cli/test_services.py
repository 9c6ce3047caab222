"""Which services a command means by the name that the user gives."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from llamafarm.cli import services
from llamafarm.cli.main import lf
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


def test_a_service_is_meant_by_what_its_program_is_called_too(monkeypatch):
    chosen = named(monkeypatch, "ollama", "universal:11541")
    assert chosen("universal-runtime") == ["universal:11541"]
    assert chosen("ollama-server") == ["ollama"]


def test_a_name_that_no_service_has_is_an_error_with_those_that_there_are(monkeypatch):
    with pytest.raises(UsageError, match="There is no service 'lemon'") as caught:
        named(monkeypatch, "lemonade:11534")("lemon")
    assert "lemonade:11534" in str(caught.value)


def test_the_log_of_one_service_is_shown_and_never_that_of_any(monkeypatch):
    named(monkeypatch, "lemonade:11534", "lemonade:11535")
    result = CliRunner().invoke(lf, ["logs", "lemonade"], obj={})
    assert isinstance(result.exception, UsageError)
    assert "lemonade:11534, lemonade:11535" in str(result.exception)


def test_a_log_is_shown_from_so_many_lines_before_its_end(monkeypatch, tmp_path):
    log = tmp_path / "one.log"
    log.write_text("first\nsecond\nthird")
    monkeypatch.setattr(services, "_services", lambda app: [Told("one", log)])
    assert CliRunner().invoke(lf, ["logs", "-n", "2"], obj={}).output == "second\nthird\n"


def test_what_is_written_after_the_last_line_that_was_shown_follows_it(monkeypatch, tmp_path):
    log = tmp_path / "one.log"
    log.write_text("first\nsec")
    rounds = iter(["ond\n", "third\n"])

    def write_more(seconds):
        text = next(rounds, None)
        if text is None:
            raise KeyboardInterrupt
        with log.open("a") as file:
            file.write(text)

    monkeypatch.setattr(services, "_services", lambda app: [Told("one", log)])
    monkeypatch.setattr(services.time, "sleep", write_more)
    assert CliRunner().invoke(lf, ["logs", "-f"], obj={}).output.startswith("first\nsecond\nthird\n")


def test_a_service_that_does_not_start_leaves_no_line_before_its_error(monkeypatch):
    left = []
    monkeypatch.setattr(services, "_services", lambda app: [Told("one", None)])
    monkeypatch.setattr("llamafarm.cli.progress.ProgressLine.__exit__", lambda *context: left.append(context))
    result = CliRunner().invoke(lf, ["start"], obj={})
    assert "no program" in str(result.exception)
    assert left


def test_a_service_that_does_not_start_keeps_no_other_from_starting(monkeypatch):
    monkeypatch.setattr(services, "_services", lambda app: [Told("one", None), Up("two")])
    result = CliRunner().invoke(lf, ["start"], obj={})
    assert "two is up at http://here." in result.output
    assert "no program" in str(result.exception)


def test_all_services_that_do_not_start_are_named_with_their_reasons(monkeypatch):
    monkeypatch.setattr(services, "_services", lambda app: [Told("one", None), Told("two", None), Up("three")])
    result = CliRunner().invoke(lf, ["start"], obj={})
    assert "three is up" in result.output
    assert "2 services did not start" in str(result.exception)
    assert "one: There is no program" in str(result.exception)
    assert "two: There is no program" in str(result.exception)


class Up(SimpleNamespace):
    """A service that starts."""

    def __init__(self, name):
        super().__init__(name=name, address="http://here")

    async def start(self, progress):
        return self


class Told:
    """A service with this log, which cannot be started."""

    def __init__(self, name, log):
        self.name = name
        self.log = log

    async def status(self):
        return self

    async def start(self, progress):
        raise UsageError("There is no program of this name.")
