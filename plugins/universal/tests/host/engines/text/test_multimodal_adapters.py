"""Chats about pictures with adapters: what peft generates with the whole model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Generate, RequestFailed, Sampling
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from lora_models import save_tuned
from multimodal_chats import GREEDY, PICTURE, TOKENS, Seeing, text, user
from peft import LoraConfig, PeftModel
from pictures import blob_of, noise
from transformers import AutoModelForMultimodalLM

TEXT_LAYERS = {"llava": r".*language_model.*\.(q_proj|down_proj)", "blip2": r".*language_model.*\.(q_proj|fc1)"}
SIGHT = {"llava": r".*vision_tower.*\.q_proj", "blip2": r".*vision_model.*\.qkv|.*language_projection"}


def tuned(model: Seeing, folder: Path, layers: str) -> LoadPlan:
    """The plan of an adapter with random changes of the layers whose names fit."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules=layers, init_lora_weights=False)
    save_tuned(AutoModelForMultimodalLM.from_pretrained(model.folder), folder, config)
    ref = ModelRef(str(model.folder), LoadSettings(adapter=str(folder)))
    weights = folder / "adapter_model.safetensors"
    return LoadPlan(ref, model.folder, {}, "multimodal", "cpu", "fp32", 0, weights)


def expected(model: Seeing, folder: Path, inputs: Any) -> list[int]:
    whole = AutoModelForMultimodalLM.from_pretrained(model.folder)
    for part in whole.modules():
        if hasattr(part, "generation_config"):
            part.generation_config.eos_token_id = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an old name
        changed = PeftModel.from_pretrained(whole, folder).eval()
    written: list[int] = changed.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)[0].tolist()
    return written[-TOKENS:]


def answers(model: Seeing, plan: LoadPlan, *messages: dict[str, Any], media: Any) -> tuple[list[int], list[int]]:
    """With an adapter and without, beside each other."""
    engine = model.driven.engine
    adapted = engine.adapted(plan, engine.read_adapter(plan))
    plain = model.start(*messages, media=media)
    work = Generate(model.chat(*messages, media=media), Sampling(**GREEDY))
    events: list[Any] = []
    adapted.submit("changed", work, adapted.prepare(work), events.append)
    model.driven.run()
    adapted.close()
    return model.driven.tokens.pop(("changed", 0)), model.driven.tokens[plain, 0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "layers"), [("llava", TEXT_LAYERS), ("blip2", TEXT_LAYERS), ("blip2", SIGHT)])
def test_an_answer_about_a_picture_is_the_one_of_peft(
    kind: str, layers: dict[str, str], seeing: Callable[[str], Seeing], tmp_path: Path
) -> None:
    """A model that is run by its own `generate` is changed in all of its layers, also in those that see."""
    model, picture = seeing(kind), noise(1, 90, 60)
    plan = tuned(model, tmp_path, layers[kind])
    if kind == "llava":
        inputs = model.inputs([user({"type": "image", "image": picture}, text("What is this?"))])
    else:
        inputs = model.processor(text="What is this?", images=[picture], return_tensors="pt")
    asked = user(PICTURE, text("What is this?"))
    changed, plain = answers(model, plan, asked, media=(blob_of(picture),))
    assert changed == expected(model, tmp_path, inputs) != plain
    assert plain == model.expected(inputs)


def test_layers_that_see_before_a_text_is_read_cannot_be_changed(
    seeing: Callable[[str], Seeing], tmp_path: Path
) -> None:
    model = seeing("llava")
    plan = tuned(model, tmp_path, SIGHT["llava"])
    with pytest.raises(
        RequestFailed, match=re.escape("changes layers that see or hear, and read no text: `model.vision")
    ):
        model.driven.engine.read_adapter(plan)
