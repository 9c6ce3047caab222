"""What `llamafarm.testing` offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import llamafarm.testing
import pytest


def test_every_public_name_is_there():
    for name in llamafarm.testing.__all__:
        assert getattr(llamafarm.testing, name) is not None


def test_names_are_listed_and_unknown_ones_refused():
    assert set(llamafarm.testing.__all__) <= set(dir(llamafarm.testing))
    with pytest.raises(AttributeError, match="has no attribute 'moo'"):
        _ = llamafarm.testing.moo


def test_only_the_contracts_import_pytest():
    code = (
        "import sys; from llamafarm.testing import Exchange, OpenAIScenes, ScriptedProvider, ScriptedUpstream; "
        "print('pytest' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).strip() == "False"
