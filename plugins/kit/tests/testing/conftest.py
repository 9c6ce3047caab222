"""One run of pytest over many contract classes, as their author would run them: none of our own settings applies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

Outcomes = dict[str, dict[str, str]]
SETTINGS = "[pytest]\nfilterwarnings = error\naddopts = --import-mode=importlib -p no:cacheprovider\n"
ALONE = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "anyio.pytest_plugin"}
"""What an author has for sure: pytest, and what `llamafarm-kit` brings."""

BOUND = 500
"""Seconds that one run may take: a thousand tests, on a machine that has other things to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a file waits for the run that all of them look at."""
    for item in items:
        if "run_contracts" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BOUND + 100))


@pytest.fixture(scope="session")
def run_contracts(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcomes]:
    """run_contracts(file, *import_path) runs the tests in `file`; returns class -> test -> passed, failed or xfailed.

    The name of a test is without its parameters: it has failed where one of its cases has. select: as pytest's `-k`.
    """

    def run(file: Path, *import_path: Path, select: str = "") -> Outcomes:
        folder = tmp_path_factory.mktemp("contracts")
        (folder / "pytest.ini").write_text(SETTINGS)
        command = [
            sys.executable,
            "-m",
            "pytest",
            str(file),
            "--rootdir",
            str(folder),
            "-c",
            str(folder / "pytest.ini"),
        ]
        done = subprocess.run(
            [*command, "-q", "-k", select, f"--junitxml={folder / 'outcomes.xml'}"],
            env={**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=BOUND,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return read(folder / "outcomes.xml")

    return run


def read(report: Path) -> Outcomes:
    found: Outcomes = defaultdict(dict)
    for case in ElementTree.parse(report).iter("testcase"):
        test, home = case.attrib["name"].partition("[")[0], case.attrib["classname"].rpartition(".")[2]
        if found[home].get(test) != "failed":
            found[home][test] = outcome(case)
    return found


def outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "xfailed" if case.find("skipped") is not None else "passed"
