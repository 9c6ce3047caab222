"""The plugin author's namespace."""

from __future__ import annotations

import subprocess
import sys

import llamafarm
import pytest


def test_every_public_name_is_there():
    for name in llamafarm.__all__:
        assert getattr(llamafarm, name) is not None


def test_names_are_listed_and_unknown_ones_refused():
    assert set(llamafarm.__all__) <= set(dir(llamafarm))
    with pytest.raises(AttributeError, match="has no attribute 'moo'"):
        _ = llamafarm.moo


def test_importing_it_imports_nothing_that_a_name_needs():
    code = (
        "import sys, llamafarm; print(sorted(m for m in sys.modules if m.startswith('llamafarm.') or m == 'pydantic'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['llamafarm.lazy', 'llamafarm.version']"
