"""A plugin that misbehaves when it is imported harms nobody but itself."""

from __future__ import annotations

import json

import pytest

NOISY = """
import sys
print("Welcome to acme!")
print("acme warns you", file=sys.stderr)
sys.stdout.write("\\x1b[1m")
import llamafarm

@llamafarm.hookimpl
def register_providers():
    print("registering acme")
    return []
"""
BROKEN = "raise SystemExit('no licence was found')"


@pytest.fixture
def project(farm, echo):
    farm.write(
        f"""
        runtime:
          models:
            - {{name: echo, provider: openai, model: echo-1, base_url: {echo.url}}}
            - {{name: other, provider: noisy, model: none}}
        """
    )
    return farm


def test_what_a_plugin_prints_stays_out_of_the_output_that_programs_read(project, install):
    install("noisy", NOISY)

    listed = project.lf("models", "list", "--json")

    rows = json.loads(listed.stdout)
    assert [(row["id"], row["reachable"]) for row in rows] == [("echo", True), ("other", False)]
    assert {row["name"] for row in json.loads(project.lf("plugins", "list", "--json").stdout)} >= {"openai", "noisy"}
    assert project.lf("chat", "Hi").stdout == "You said: Hi\n"


def test_a_broken_plugin_is_a_row_with_its_cause_and_everything_else_works(project, install):
    install("noisy", BROKEN)

    assert project.lf("--help").returncode == 0
    assert project.lf("chat", "Hi").stdout == "You said: Hi\n"
    [row] = [row for row in json.loads(project.lf("plugins", "list", "--json").stdout) if row["name"] == "noisy"]
    assert row["status"] == "failed"
    assert "no licence was found" in row["cause"]
    asked = project.lf("chat", "Hi", "--model", "other")
    assert asked.returncode == 1
    assert "acme-noisy 1.0" in asked.stderr
    assert "no licence was found" in asked.stderr
    assert "Traceback" not in asked.stderr
