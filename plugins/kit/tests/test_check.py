"""Each plugin loaded in a process of its own."""

from __future__ import annotations

import pytest
from llamafarm.plugins.manager import PluginManager
from llamafarm_kit.check import check, check_all


@pytest.fixture
def checked(install, monkeypatch):
    """Install a plugin `cow` with that source and check it."""

    def run(source: str, timeout: float = 60):
        folder = install("acme-cow", source)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        row = next(row for row in PluginManager().statuses(load=False) if row.name == "cow")
        return check(row, timeout=timeout)

    return run


def test_a_sound_plugin_is_active_with_what_it_brings(checked, provider_source):
    row = checked("print('noise')\n" + provider_source)
    assert (row.status, row.providers) == ("active", ("cow",))


def test_a_plugin_that_hangs_is_ended_at_the_time_limit(checked):
    row = checked("import time; time.sleep(3600)", timeout=1)
    assert (row.status, row.cause) == ("failed", "it was not loaded within 1 seconds")


def test_a_plugin_that_kills_its_process_is_told_by_the_signal(checked):
    row = checked("import os; os.write(2, b'last words'); os.kill(os.getpid(), 9)")
    assert (row.status, row.cause) == ("failed", "the process that loaded it ended with signal SIGKILL: last words")


def test_a_plugin_that_leaves_without_a_word_is_told_by_the_exit_code(checked):
    assert checked("import os; os._exit(0)").cause == "the process that loaded it ended with exit code 0"


def test_a_plugin_that_fails_to_import_keeps_its_cause(checked):
    assert "No module named 'no_such_module'" in checked("import no_such_module").cause


def test_a_plugin_that_imports_something_heavy_fails_the_check(checked, provider_source):
    row = checked("import sys, types; sys.modules['torch'] = types.ModuleType('torch')\n" + provider_source)
    assert (row.status, row.cause) == ("failed", "loading it imports torch; import inside `connect`")


@pytest.mark.parametrize(
    "call",
    ["socket.getaddrinfo('localhost', 80)", "socket.socket().connect_ex(('127.0.0.1', 9))"],
)
def test_a_plugin_that_uses_the_network_fails_the_check(checked, provider_source, call):
    row = checked(f"import socket; {call}\n" + provider_source)
    assert row.status == "failed"
    assert row.cause.startswith("loading it uses the network (socket.")


def test_plugins_are_checked_side_by_side_and_told_in_their_order(install, monkeypatch, tmp_path):
    """Two that wait for each other at their import: one after the other, neither would ever be loaded."""
    for name, other in (("cow", "hen"), ("hen", "cow")):
        waits = f"""
            import pathlib, time, llamafarm
            pathlib.Path({str(tmp_path / name)!r}).touch()
            while not pathlib.Path({str(tmp_path / other)!r}).exists():
                time.sleep(0.01)

            @llamafarm.hookimpl
            def register_providers():
                return []
        """
        monkeypatch.setenv("PYTHONPATH", str(install(f"acme-{name}", waits)), prepend=":")
    rows = [row for row in check_all(PluginManager(), timeout=60) if row.name in ("cow", "hen")]
    assert [(row.name, row.status) for row in rows] == [("cow", "active"), ("hen", "active")]


def test_a_plugin_in_conflict_is_told_without_being_loaded(install):
    install("acme-cow", "raise SystemExit('imported')")
    install("acme-bull", "raise SystemExit('imported')", plugin="cow")
    rows = [row for row in check_all(PluginManager(), timeout=60) if row.name == "cow"]
    assert [row.status for row in rows] == ["conflict", "conflict"]


@pytest.mark.parametrize(
    ("start", "left"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait, name='calf', daemon=True).start()", "calf"),
        ("import subprocess; child = subprocess.Popen(['sleep', '3600'])", "sleep"),
    ],
)
def test_a_plugin_that_leaves_something_running_fails_the_check(checked, provider_source, start, left):
    row = checked(f"{start}\n" + provider_source)
    told = f"loading it leaves threads or processes running ({left}); start them inside `connect`"
    assert (row.status, row.cause) == ("failed", told)


def test_a_plugin_for_another_core_is_not_imported(install, monkeypatch):
    folder = install("acme-cow", "raise SystemExit('imported')", requires="llamafarm>=9")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    [row] = [row for row in check_all(PluginManager(), timeout=60) if row.name == "cow"]
    assert row.status == "incompatible"
    assert row.cause.startswith("it requires llamafarm>=9")
