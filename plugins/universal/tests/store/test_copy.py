"""Which files of a hub model are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal import catalogue
from llamafarm_universal.engine import EngineSpec, FilePatterns
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.store.copy import Copy


def test_the_files_are_those_that_the_engine_of_the_settings_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    unused: Any = None
    other = EngineSpec("other", (), FilePatterns(("*.gguf",), ("old/*",)), unused, unused)
    monkeypatch.setattr(catalogue, "installed", lambda: (*INSTALLED, other))
    wanted = Copy.of(ModelRef("org/model", LoadSettings(engine="other"))).arguments({})
    assert (wanted["allow_patterns"], wanted["ignore_patterns"]) == (["*.gguf"], ["old/*"])
    assert "*.safetensors" in Copy.of(ModelRef("org/model")).arguments({})["allow_patterns"]


INSTALLED = catalogue.installed()


def test_python_files_come_only_with_trust() -> None:
    trusting = LoadSettings(trust_remote_code=True, revision="v1")
    assert "*.py" not in Copy.of(ModelRef("org/model")).arguments({})["allow_patterns"]
    wanted = Copy.of(ModelRef("org/model", trusting)).arguments({})
    assert "*.py" in wanted["allow_patterns"]
    assert wanted["revision"] == "v1"


def test_copies_that_differ_in_their_files_are_not_one_download() -> None:
    plain = Copy.of(ModelRef("org/model"))
    assert plain == Copy.of(ModelRef("org/model", LoadSettings(device="cpu", dtype="bf16")))
    for settings in ({"revision": "v1"}, {"trust_remote_code": True}, {"engine": "torch"}):
        assert plain != Copy.of(ModelRef("org/model", LoadSettings(**settings)))  # type: ignore[arg-type]


def test_an_engine_that_is_not_installed_is_refused() -> None:
    with pytest.raises(RequestFailed, match="No engine is called `vulkan`"):
        Copy.of(ModelRef("org/model", LoadSettings(engine="vulkan"))).arguments({})
