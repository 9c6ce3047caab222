"""A time limit for what plugins do when they are loaded."""

from __future__ import annotations

import threading

import pytest
from llamafarm.errors import PluginError
from llamafarm.plugins.limit import TooSlow, run_within
from llamafarm.plugins.manager import PluginManager


@pytest.fixture
def gate(monkeypatch):
    """What a hanging plugin waits for, as `threading.gate`; opened when the test ends, so that no thread is left."""
    opened = threading.Event()
    monkeypatch.setattr(threading, "gate", opened, raising=False)
    yield opened
    opened.set()


def status(name: str, **environ: str):
    return next(row for row in PluginManager(environ=environ).statuses() if row.name == name)


def test_work_that_ends_in_time_returns_and_raises_as_ever():
    assert run_within(20, lambda: 3) == 3
    with pytest.raises(SystemExit, match="no licence"):
        run_within(20, lambda: exec("raise SystemExit('no licence')"))
    assert run_within(20, lambda: 4) == 4


def test_without_a_limit_work_runs_where_it_is_called():
    assert run_within(None, threading.current_thread) is threading.current_thread()


def test_work_that_does_not_end_in_time_is_left_behind_and_the_next_is_done(gate):
    stuck = []
    with pytest.raises(TooSlow, match=r"longer than 0\.05 seconds"):
        run_within(0.05, lambda: stuck.append(threading.current_thread()) or gate.wait())
    assert run_within(20, lambda: 3) == run_within(0.05, lambda: 3) == 3
    gate.set()
    stuck[0].join(20)
    assert not stuck[0].is_alive()


def test_a_plugin_that_hangs_in_its_import_is_broken_and_the_next_is_loaded(install, provider_source, gate):
    install("acme-cow", "import threading; threading.gate.wait()")
    install("acme-hen", provider_source("hen"))
    plugins = PluginManager(environ={"LF_PLUGIN_TIMEOUT": "0.5"})
    rows = {row.name: row for row in plugins.statuses()}
    assert rows["cow"].cause == "it took longer than 0.5 seconds on import of acme_cow"
    assert rows["hen"].status == "active"


def test_a_hook_that_hangs_loses_only_its_own_records(install, provider_source, gate):
    hangs = """
        import threading

        @llamafarm.hookimpl
        def register_config_fragments():
            yield threading.gate.wait()
    """
    install("acme-cow", provider_source("cow", hangs))
    row = status("cow", LF_PLUGIN_TIMEOUT="0.5")
    assert (row.status, row.providers) == ("failed", ("cow",))
    assert row.cause == "it took longer than 0.5 seconds in register_config_fragments()"


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan"])
def test_a_limit_that_is_none_is_refused(given):
    with pytest.raises(PluginError, match=f"LF_PLUGIN_TIMEOUT is '{given}': a number of seconds above 0 was expected"):
        PluginManager(environ={"LF_PLUGIN_TIMEOUT": given})
