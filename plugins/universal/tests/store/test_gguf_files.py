"""One GGUF file of a hub's repository: it alone is fetched, and is a model by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Kind
from gguf_files import write_gguf
from hub_server import Hub
from llamafarm_universal.store.glance import glance


@pytest.fixture
def quants(hub: Hub, llama_folder: Path, tokenizer: Any, tmp_path: Path) -> Iterator[str]:
    """A repository of two files."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    write_gguf(tmp_path / "tiny-q8_0.gguf", model, tokenizer, Kind.Q8_0)
    write_gguf(tmp_path / "tiny-f32.gguf", model, tokenizer)
    (tmp_path / "README.md").write_text("unwanted")
    hub.models["farm/quants"] = tmp_path
    yield "farm/quants"
    del hub.models["farm/quants"]


def test_the_file_that_is_named_is_fetched_and_planned_for(hub: Hub, store: Any, quants: str) -> None:
    name = f"{quants}:tiny-q8_0.gguf"
    plan = store.locate(name).plan
    assert (plan.folder.name, plan.task, plan.config["model_type"]) == ("tiny-q8_0.gguf", "text", "llama")
    fetched = {Path(path).name for path in hub.asked if "quants/resolve" in path}
    assert fetched == {"tiny-q8_0.gguf"}
    hub.asked.clear()
    assert store.locate(name).plan.parameters == plan.parameters
    assert hub.asked == [], "what is here is not asked for again"

    stored = store.describe(name, f"{quants}:tiny-f32.gguf")
    assert [stored[name].complete, stored[f"{quants}:tiny-f32.gguf"].complete] == [True, False]
    assert "models are deleted whole" in store.remove(name).failed.message
    assert store.remove(quants).last.freed_bytes == stored[name].size_bytes
    assert store.describe(name) == {}


def test_a_file_that_is_not_there_is_told(store: Any, quants: str) -> None:
    failed = store.locate(f"{quants}:other.gguf").failed
    assert failed.kind == "model_not_found"
    assert "no file `other.gguf`" in failed.message


def test_what_it_does_can_be_told_where_it_is_here(llama_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    path = write_gguf(tmp_path / "tiny.gguf", AutoModelForCausalLM.from_pretrained(llama_folder), tokenizer)
    assert glance(str(path)).task == "text"
