"""Servers that tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the spawned host imports scripted_host by its name

from audio_models import make_ctc, make_sound_classifier, make_speecht5, make_vits, make_whisper  # noqa: E402
from diffusion_models import make_stable_diffusion  # noqa: E402
from multimodal_models import make_multimodal_model  # noqa: E402
from runtime_servers import Running, ServerProcess, running_process, serving  # noqa: E402
from tiny_models import make_bert, make_llama, make_tokenizer, make_towers  # noqa: E402


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of models with random weights.

    One generates text, one chats about pictures and one about sounds, one classifies texts, one their tokens, one
    embeds pictures beside texts, two write down recordings, one speaks, and one draws.
    """
    folder, tokenizer = tmp_path_factory.mktemp("models"), make_tokenizer()
    return {
        "llama": make_llama(folder / "llama", tokenizer),
        "hearing": make_multimodal_model(folder / "hearing", "qwen2_audio", make_tokenizer()),
        "llava": make_multimodal_model(folder / "llava", "llava", make_tokenizer()),
        "classifier": make_bert(
            folder / "classifier", tokenizer, "SequenceClassification", "contradiction", "entailment"
        ),
        "towers": make_towers(folder / "towers", tokenizer),
        "speecht5": make_speecht5(folder / "speecht5"),
        "sounds": make_sound_classifier(folder / "sounds"),
        "whisper": make_whisper(folder / "whisper"),
        "ctc": make_ctc(folder / "ctc"),
        "vits": make_vits(folder / "vits"),
        "pictures": make_stable_diffusion(folder / "pictures"),
        "tagger": make_bert(folder / "tagger", tokenizer, "TokenClassification", "O", "B-PER", "I-PER"),
    }


@pytest.fixture(scope="session")
def llama(models: dict[str, Path]) -> Path:
    """The folder of a causal model."""
    return models["llama"]


@pytest.fixture(scope="session")
def real(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server with a real engine host, whose own file admits the `models`."""
    config = tmp_path_factory.mktemp("config") / "runtime.yaml"
    config.write_text("\n".join(["models:", *(f"  - id: {folder}" for folder in models.values())]))
    with running_process(UNIVERSAL_RUNTIME_CONFIG=str(config)) as server:
        yield server


@pytest.fixture(scope="session")
def shared() -> Iterator[Running]:
    """One server for all tests that leave its host alive."""
    with serving() as running:
        yield running


@pytest.fixture
def own() -> Iterator[Running]:
    """A server for one test."""
    with serving() as running:
        yield running
