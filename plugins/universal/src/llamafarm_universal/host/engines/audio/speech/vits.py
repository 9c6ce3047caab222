"""VITS: letters become sound in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from llamafarm_universal.engine import LoadPlan, RequestFailed, refused
from llamafarm_universal.host.engines.audio.speech.speaker import Utterance


class Vits:
    """Its voices are numbers, where there are several.

    Each text has a call of its own: what turns its frames into samples is a stack of convolutions without masks, and
    would have the end of a text sound otherwise beside a longer one than alone.
    """

    has_speed = True

    def __init__(self, plan: LoadPlan, module: Any, tokenizer: Any) -> None:
        refuse_unread(plan, tokenizer)
        self.module = module
        self.rate = int(module.config.sampling_rate)
        count = int(module.config.num_speakers)
        self.voices: Sequence[str] = [str(number) for number in range(count if count > 1 else 0)]
        self._tokenizer = tokenizer

    def ids(self, text: str) -> tuple[int, ...]:
        try:
            ids = tuple(self._tokenizer(text)["input_ids"])
        except (ImportError, ValueError) as error:  # `uroman`, which is not installed
            raise refused(
                "The text has letters that this model reads in their Roman spelling alone.",
                "input",
                hint="Send it romanised, or have the operator of the server `pip install uroman`.",
            ) from error
        return ids if len(ids) > 1 else ()

    def spoken(self, text: Utterance) -> Any:
        ids = torch.tensor([text.ids], device=self.module.device)
        speed = self.module.speaking_rate * text.speed
        speaker = text.voice if self.voices else None
        return self.module(ids, speaker_id=speaker, speaking_rate=speed).waveform[0]


def refuse_unread(plan: LoadPlan, tokenizer: Any) -> None:
    """Raise RequestFailed for a model whose texts have to be written in sounds, where nothing here does that."""
    from transformers.utils import is_phonemizer_available

    if tokenizer.phonemize and not is_phonemizer_available():
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` reads sounds and no letters, and `phonemizer`, which tells them, is not installed.",
            hint="`pip install phonemizer` in the runtime's environment, with espeak-ng on the machine.",
            param="model",
        )
