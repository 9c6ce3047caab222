"""Draft models: found and fetched with the model that they draft for, and refused by their own setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from llamafarm_universal.messages import LoadProgress, LoadSettings, ModelRef
from llamafarm_universal.store.drafts import draft_of


@pytest.fixture
def published(hub: Hub, store: Any, llama_folder: Path) -> None:
    """A model and a smaller one on the hub, fetched by nobody."""
    hub.models |= {"farm/large": llama_folder, "farm/small": llama_folder}
    for model in ("farm/large", "farm/small"):
        store.remove(model)


def test_a_draft_model_is_loaded_as_the_model_is_and_is_not_trusted_with_it() -> None:
    settings = LoadSettings(
        device="cpu", dtype="bf16", quantization="int8", trust_remote_code=True, revision="v1", draft_model="org/small"
    )
    draft = draft_of(ModelRef("org/large", settings))
    assert draft == ModelRef("org/small", LoadSettings(device="cpu", dtype="bf16", quantization="int8"))
    assert draft_of(ModelRef("org/large")) is None


@pytest.mark.usefixtures("published")
def test_it_is_fetched_with_the_model_and_its_progress_is_told(store: Any) -> None:
    answer = store.locate("farm/large", draft_model="farm/small")
    texts = [event.text for event in answer.events if isinstance(event, LoadProgress)]
    assert list(dict.fromkeys(texts)) == ["Downloading farm/large", "Downloading farm/small"]
    assert answer.plan.models == ("farm/large", "farm/small")
    assert "models--farm--small" in str(answer.plan.draft.folder)
    assert answer.plan.weight_bytes == 2 * answer.plan.draft.weight_bytes


@pytest.mark.usefixtures("published")
def test_it_is_pulled_with_the_model(store: Any) -> None:
    store.pull("farm/large", draft_model="farm/small")
    assert store.describe("farm/small")["farm/small"].complete


@pytest.mark.usefixtures("published")
def test_one_that_is_nowhere_is_the_fault_of_its_setting(store: Any) -> None:
    nowhere = store.locate("farm/large", draft_model="farm/nowhere").failed
    assert (nowhere.kind, nowhere.param) == ("model_not_found", "draft_model")
    assert "`farm/nowhere`" in nowhere.message
    no_folder = store.locate("farm/large", draft_model="/no/such/folder").failed
    assert (no_folder.kind, no_folder.param) == ("model_not_found", "draft_model")
