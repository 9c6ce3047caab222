"""Which engine executes a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.host.failure import RequestFailed
from llamafarm_universal.host.models.task import engine_name

KNOWN = ("text", "embedding")


def name(folder: Path, override: str | None = None, known: tuple[str, ...] = KNOWN, **config: Any) -> str:
    return engine_name("org/model", folder, config, override, known)


@pytest.mark.parametrize(
    ("architecture", "engine"),
    [
        ("LlamaForCausalLM", "text"),
        ("GPT2LMHeadModel", "text"),
        ("BertModel", "embedding"),
        ("BertForMaskedLM", "embedding"),
        ("NomicBertModel", "embedding"),
        ("Qwen3Model", "embedding"),
    ],
)
def test_the_architecture_names_the_engine(tmp_path: Path, architecture: str, engine: str) -> None:
    assert name(tmp_path, architectures=[architecture]) == engine


def test_the_sentence_transformers_layout_embeds_whatever_the_architecture(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert name(tmp_path, architectures=["Qwen3ForCausalLM"]) == "embedding"


def test_a_diffusers_pipeline_needs_the_diffusion_engine(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    assert name(tmp_path, known=(*KNOWN, "diffusion")) == "diffusion"


def test_model_type_overrides(tmp_path: Path) -> None:
    assert name(tmp_path, "embedding", architectures=["LlamaForCausalLM"]) == "embedding"
    assert name(tmp_path, "image", known=(*KNOWN, "diffusion")) == "diffusion"
    with pytest.raises(RequestFailed) as caught:
        name(tmp_path, "poetry")
    assert caught.value.param == "model_type"
    assert caught.value.hint == "Engines installed: embedding, text."


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"architectures": ["ViTForImageClassification"], "model_type": "vit"}, "ViTForImageClassification"),
        ({"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"}, "engine `audio`"),
        ({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}, "engine `text2text`"),
        ({"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}, "engine `multimodal`"),
        ({"architectures": ["Something"], "model_type": "new"}, "`Something`"),
        ({"model_type": "mystery"}, "no architecture, model type `mystery`"),
    ],
)
def test_what_no_engine_executes_is_named_with_what_there_is(
    tmp_path: Path, config: dict[str, Any], found: str
) -> None:
    with pytest.raises(RequestFailed) as caught:
        name(tmp_path, **config)
    assert caught.value.kind == "not_supported"
    assert found in caught.value.message
    assert "embedding, text" in (caught.value.hint or "")
