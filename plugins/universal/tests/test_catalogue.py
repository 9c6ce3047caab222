"""The engines that are installed, and which files each wants of a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from importlib_metadata import EntryPoint
from llamafarm_universal import catalogue
from llamafarm_universal.catalogue import wanted_by
from llamafarm_universal.engine import ENGINES_GROUP, Candidate, EngineSpec, FilePatterns, ModelRef
from llamafarm_universal.failure import RequestFailed


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have engines installed: of each its name, what it takes, and what it leaves."""

    def install(*engines: tuple[str, tuple[str, ...], tuple[str, ...]]) -> None:
        unused: Any = None
        specs = tuple(EngineSpec(name, (), FilePatterns(take, leave), unused, unused) for name, take, leave in engines)
        monkeypatch.setattr(catalogue, "installed", lambda: specs)

    return install


def test_all_specs_of_an_engine_have_their_files(installed: Callable[..., None]) -> None:
    installed(
        ("torch", ("*.safetensors", "*.json"), ("onnx/*", "original/*")),
        ("torch", ("*.json", "onnx/*"), ("original/*",)),
        ("other", ("*.gguf",), ()),
    )
    assert wanted_by("torch") == FilePatterns(("*.safetensors", "*.json", "onnx/*"), ("original/*",))
    assert wanted_by("other").take == ("*.gguf",)


def test_the_default_engine_is_meant_where_none_is_named(installed: Callable[..., None]) -> None:
    installed(("other", ("*.gguf",), ()), ("torch", ("*.safetensors",), ()))
    assert wanted_by(None).take == ("*.safetensors",)


def test_an_engine_that_is_not_installed_names_those_that_are() -> None:
    with pytest.raises(RequestFailed) as caught:
        wanted_by("vulkan")
    assert caught.value.param == "engine"
    assert "torch" in (caught.value.hint or "")


@pytest.fixture
def with_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Beside the engines that there are, three that are none."""
    (tmp_path / "quitting_engine.py").write_text("raise SystemExit('I do not like it here')")
    monkeypatch.syspath_prepend(tmp_path)
    known = catalogue.entry_points(group=ENGINES_GROUP)
    values = {"gone": "no_such_module:ENGINE", "odd": "os:sep", "quits": "quitting_engine:ENGINE"}
    broken = [EntryPoint(name, value, ENGINES_GROUP) for name, value in values.items()]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [*known, *broken])
    catalogue.discovered.cache_clear()
    yield
    catalogue.discovered.cache_clear()


def test_an_engine_that_is_broken_takes_nothing_from_the_others(
    with_broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert {"text", "embedding"} <= {*catalogue.tasks()}
    assert catalogue.spec_of("torch", "text").name == "torch"
    [gone, odd, quits] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in gone
    assert "is no EngineSpec" in odd
    assert "SystemExit: I do not like it here" in quits


def test_what_a_broken_engine_could_have_done_is_refused_with_its_cause(with_broken: None, tmp_path: Path) -> None:
    bell = Candidate(ModelRef("a/bell"), tmp_path, {"model_type": "bell"}, None, "cpu", "fp32", 0)
    for ask in (
        lambda: catalogue.choose(bell),
        lambda: catalogue.wanted_by("gone"),
        lambda: catalogue.work_of("ring", {}),
    ):
        with pytest.raises(RequestFailed) as raised:
            ask()
        hint = raised.value.hint or ""
        assert "Engine `gone` (no_such_module:ENGINE) cannot be imported: ModuleNotFoundError" in hint
        assert "Engine `odd` (os:sep) is no EngineSpec." in hint
        assert "SystemExit: I do not like it here" in hint


def test_the_distribution_of_each_engine_is_known() -> None:
    known = catalogue.discovered()
    owners = {spec.tasks: owner for spec, owner in zip(known.specs, known.owners, strict=True)}
    assert owners["text", "multimodal"] == "llamafarm-universal"
