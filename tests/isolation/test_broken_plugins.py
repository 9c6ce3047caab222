"""A plugin that is broken harms nobody but itself, however it is broken and whatever else is."""

from __future__ import annotations

import json
import subprocess

import pytest
from strangers import BROKEN, LOUD, STUCK
from throwaway import Environment

TWO_SECONDS = {"LF_PLUGIN_TIMEOUT": "2"}
STUCK_ENTRY = "    - {name: stuck, provider: stuck, model: none}\n"


@pytest.fixture(scope="module")
def farm(farm_of) -> Environment:
    """All the broken ones at once."""
    return farm_of(*BROKEN)


@pytest.fixture(scope="module")
def listed(farm) -> subprocess.CompletedProcess[str]:
    return farm.lf("plugins", "list", "--json")


@pytest.fixture(scope="module")
def models(farm) -> subprocess.CompletedProcess[str]:
    return farm.lf("models", "list", "--json")


@pytest.fixture(scope="module")
def stuck(farm_of) -> Environment:
    """One that never ends its import, which the configuration does not name, and one that prints at its own."""
    return farm_of(STUCK, LOUD, unnamed=STUCK)


def everything_else_works(farm: Environment) -> None:
    assert "Commands:" in farm.lf("--help").stdout
    answered = farm.lf("chat", "Hi")
    assert (answered.returncode, answered.stdout) == (0, "You said: Hi\n"), answered.stderr


def test_help_and_a_chat_through_another_provider_work_among_all_broken_plugins(farm):
    everything_else_works(farm)


def test_a_chat_warns_of_each_broken_plugin_that_it_has_met(farm, listed):
    warned = farm.lf("chat", "Hi").stderr

    rows = [row for row in json.loads(listed.stdout) if row["distribution"].startswith("acme-")]
    told = [f"plugin {row['name']!r} ({row['distribution']} {row['version']}): {row['status']}" for row in rows]
    assert len(told) == len(BROKEN)
    assert [one for one in told if one not in warned] == []


def test_the_list_of_plugins_works_among_all_broken_plugins(farm, listed):
    rows = {row["name"]: row["status"] for row in json.loads(listed.stdout)}

    assert listed.returncode == 0
    assert {rows["simple"], rows["openai"]} == {"active"}
    shown = farm.lf("plugins", "list")
    assert shown.returncode == 0
    assert [one.distribution for one in BROKEN if one.distribution not in shown.stdout] == []


@pytest.mark.parametrize("stranger", BROKEN, ids=lambda one: one.name)
def test_the_list_says_which_version_of_which_distribution_is_broken_and_why(listed, stranger):
    [row] = [row for row in json.loads(listed.stdout) if row["distribution"] == stranger.distribution]

    assert (row["name"], row["version"], row["status"]) == (stranger.entry_point, stranger.version, stranger.status)
    assert stranger.cause in row["cause"]


@pytest.mark.parametrize("stranger", BROKEN, ids=lambda one: one.name)
def test_a_model_that_needs_it_is_refused_with_distribution_version_and_cause(farm, stranger):
    asked = farm.lf("chat", "Hi", "--model", stranger.name)

    assert asked.returncode == 1
    assert "Traceback" not in asked.stderr
    assert f"{stranger.distribution} {stranger.version}" in asked.stderr
    assert stranger.status == "conflict" or stranger.cause in asked.stderr


@pytest.mark.parametrize("stranger", BROKEN, ids=lambda one: one.name)
def test_its_model_is_listed_as_broken_beside_those_that_work(models, stranger):
    rows = {row["id"]: row for row in json.loads(models.stdout)}

    assert rows["echo"]["reachable"] is True
    assert rows[stranger.name]["reachable"] is False
    assert f"{stranger.distribution} {stranger.version}" in rows[stranger.name]["detail"]


def test_a_plugin_that_hangs_in_its_import_is_never_imported_by_what_does_not_need_it(stuck):
    everything_else_works(stuck)
    traced = stuck.lf("chat", "Hi", env=stuck.env() | {"LF_TRACE_PLUGINS": "1"}).stderr

    assert "import llamafarm_openai_compat.plugin" in traced
    assert "acme_stuck" not in traced


def test_a_plugin_that_hangs_in_its_import_is_a_row_after_the_time_limit(stuck):
    done = stuck.lf("plugins", "list", "--json", env=stuck.env() | TWO_SECONDS)

    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0
    assert (rows["openai"]["status"], rows["noisy"]["status"]) == ("active", "active")
    assert (rows["stuck"]["distribution"], rows["stuck"]["version"]) == ("acme-stuck", "1.0")
    assert rows["stuck"]["cause"] == "it took longer than 2 seconds on import of acme_stuck.plugin"


def test_a_plugin_that_hangs_in_its_import_is_a_warning_where_the_configuration_names_it(stuck):
    config = stuck.write("named.yaml", stuck.folder.joinpath("llamafarm.yaml").read_text() + STUCK_ENTRY)

    done = stuck.lf("chat", "--config", config.name, "Hi", env=stuck.env() | TWO_SECONDS)
    assert (done.returncode, done.stdout) == (0, "You said: Hi\n")
    assert "plugin 'stuck' (acme-stuck 1.0): failed: it took longer than 2 seconds on import" in done.stderr


def test_the_check_of_plugins_names_the_one_that_hangs_in_its_import(stuck):
    done = stuck.lf("plugins", "check", "--timeout", "3")

    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("stuck")]
    assert line.split(maxsplit=4) == ["stuck", "acme-stuck", "1.0", "failed", "it was not loaded within 3 seconds"]


def test_what_a_plugin_prints_at_its_import_stays_out_of_what_programs_read(stuck):
    listed = stuck.lf("models", "list", "--json")

    assert {row["id"] for row in json.loads(listed.stdout)} == {"echo", "noisy"}
    assert "Welcome to acme!" in listed.stderr
    assert "registering acme" in listed.stderr
