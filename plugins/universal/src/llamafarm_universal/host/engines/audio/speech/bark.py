"""Bark: three language models, one behind the other, write the tokens of a sound, and a codec makes sound of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from llamafarm_universal.engine import LoadPlan
from llamafarm_universal.host.engines.audio.speech.presets import listed_arrays
from llamafarm_universal.host.engines.audio.speech.speaker import Utterance, refuse_longer

PROMPTS = {"semantic_prompt": 1, "coarse_prompt": 2, "fine_prompt": 2}
"""What a voice consists of, and in how many dimensions. Source: transformers' BarkProcessor."""
OWN_VOICE = "random"
"""Without a voice of its files, the model has another one for each text and seed."""


class Bark:
    """Its voices are what was spoken before, in files of its folder; the first one is a voice that it makes up."""

    has_speed = False

    def __init__(self, plan: LoadPlan, module: Any, tokenizer: Any) -> None:
        self.module = module
        self.rate = int(module.generation_config.sample_rate)
        self._tokenizer = tokenizer
        self._most = int(module.generation_config.semantic_config.get("max_input_semantic_length", 256))
        self._prompts: dict[str, Any] = {OWN_VOICE: None, **listed_arrays(plan, PROMPTS)}
        self.voices: Sequence[str] = list(self._prompts)

    def ids(self, text: str) -> tuple[int, ...]:
        ids = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        refuse_longer(ids, self._most)
        return ids

    def spoken(self, text: Utterance) -> Any:
        """Source: transformers' BarkProcessor, whose padding this is."""
        device, prompt = self.module.device, self._prompts[self.voices[text.voice]]
        rest = self._most - len(text.ids)
        ids = torch.tensor([[*text.ids, *[self._tokenizer.pad_token_id] * rest]], device=device)
        mask = torch.tensor([[1] * len(text.ids) + [0] * rest], device=device)
        given = None if prompt is None else {name: torch.tensor(array, device=device) for name, array in prompt.items()}
        return self.module.generate(ids, attention_mask=mask, history_prompt=given)[0]
