"""The vocoder of a model that makes spectra: fetched with it, or named in its settings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_models import make_speecht5
from hub_server import Hub
from listening import Listening, alike, spoken
from llamafarm_universal.engine import LoadPlan, Speak
from llamafarm_universal.host.engines.audio.load import load_audio
from llamafarm_universal.messages import LoadProgress
from llamafarm_universal.store.vocoders import USUAL


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one's own, with a vocoder in it."""
    return make_speecht5(tmp_path_factory.mktemp("models") / "speecht5")


@pytest.fixture(scope="module", autouse=True)
def published(hub: Hub, whole: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The model and its vocoder, each a repository of its own, as their authors have published them."""
    folder = tmp_path_factory.mktemp("published")
    hub.models["farm/speaker"] = Path(shutil.copytree(whole, folder / "speaker"))
    hub.models[USUAL] = Path(shutil.move(folder / "speaker" / "vocoder", folder / "vocoder"))


class Loaded:
    """A plan's engine, driven by hand."""

    def __init__(self, plan: LoadPlan) -> None:
        self.engine: Any = load_audio(plan, 10**8)

    events = Listening.events


def heard(plan: LoadPlan) -> np.ndarray[Any, Any]:
    loaded: Any = Loaded(plan)
    [sound] = spoken(loaded, Speak(("the lazy dog",), "bo", seed=4))
    loaded.engine.close()
    return sound


def test_the_usual_one_is_fetched_with_a_model_of_the_hub_and_speaks_as_one_of_its_folder(
    store: Any, whole: Path
) -> None:
    answer = store.locate("farm/speaker", dtype="fp32")
    texts = [event.text for event in answer.events if isinstance(event, LoadProgress)]
    assert list(dict.fromkeys(texts)) == ["Downloading farm/speaker", f"Downloading {USUAL}"]
    assert answer.plan.models == ("farm/speaker", USUAL)
    own = store.locate(str(whole), dtype="fp32").plan
    assert answer.plan.weight_bytes == own.weight_bytes
    assert alike(heard(answer.plan), heard(own))


def test_another_one_is_named_in_the_settings(hub: Hub, store: Any) -> None:
    hub.models["farm/vocoder"] = hub.models[USUAL]
    assert store.locate("farm/speaker", vocoder="farm/vocoder").plan.models == ("farm/speaker", "farm/vocoder")
    folder = str(hub.models[USUAL])
    assert store.locate("farm/speaker", vocoder=folder).plan.vocoder_folder == hub.models[USUAL]


@pytest.mark.parametrize(
    ("model", "vocoder", "kind", "message"),
    [
        ("farm/speaker", "farm/nowhere", "model_not_found", "`farm/nowhere`"),
        ("farm/speaker", "farm/pickled", "model_not_found", "has no safetensors weights"),
        ("farm/tiny", USUAL, "not_supported", "`farm/tiny` takes no vocoder"),
    ],
)
def test_one_that_cannot_be_used_is_the_fault_of_its_setting(
    hub: Hub, store: Any, tmp_path: Path, model: str, vocoder: str, kind: str, message: str
) -> None:
    pickled = Path(shutil.copytree(hub.models[USUAL], tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    hub.models["farm/pickled"] = pickled
    failed = store.locate(model, vocoder=vocoder).failed
    assert (failed.kind, failed.param) == (kind, "vocoder")
    assert message in failed.message
    if model == "farm/speaker":
        assert "`vocoder` names another one, by its id of the hub or its folder" in failed.hint


def test_a_model_whose_vocoder_is_out_of_reach_says_what_to_do(hub: Hub, store: Any) -> None:
    store.remove(USUAL)
    kept = hub.models.pop(USUAL)
    failed = store.locate("farm/speaker").failed
    hub.models[USUAL] = kept
    assert f"`{USUAL}`" in failed.message
    assert failed.param == "vocoder"
    assert "files in `vocoder/` of the model's own folder are used" in failed.hint
