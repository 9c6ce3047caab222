"""One run of pytest over many contract classes, as their author would run them: for those who write a contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

Outcomes = dict[str, dict[str, str]]
"""Class -> test, without its parameters -> passed, failed or xfailed."""

BOUND = 500
"""Seconds that one run may take: a thousand tests, on a machine that has other things to do."""

_SETTINGS = "[pytest]\nfilterwarnings = error\naddopts = --import-mode=importlib -p no:cacheprovider\n"
_ALONE = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "anyio.pytest_plugin"}
"""What an author has for sure: pytest, and what `llamafarm-kit` brings."""


def outcomes_of(file: Path, folder: Path, *import_path: Path, select: str = "") -> Outcomes:
    """Run the tests in `file`, and tell how each went. folder: where the run may write. select: as pytest's `-k`.

    None of the settings of whoever calls this applies. A test has failed where one of its cases has.
    """
    settings, report = folder / "pytest.ini", folder / "outcomes.xml"
    settings.write_text(_SETTINGS)
    command = [sys.executable, "-m", "pytest", str(file), "--rootdir", str(folder), "-c", str(settings), "-q"]
    done = subprocess.run(  # noqa: S603 - pytest itself
        [*command, "-k", select, f"--junitxml={report}"],
        env={**os.environ, **_ALONE, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return _read(report)


def _read(report: Path) -> Outcomes:
    outcomes: Outcomes = defaultdict(dict)
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
        test, home = case.attrib["name"].partition("[")[0], case.attrib["classname"].rpartition(".")[2]
        if outcomes[home].get(test) != "failed":
            outcomes[home][test] = _outcome(case)
    return outcomes


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "xfailed" if case.find("skipped") is not None else "passed"
