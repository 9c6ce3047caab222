"""Chats about pictures and sounds with an engine that is driven by hand, and with transformers itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from llamafarm_universal.engine import Blob, SpoolFolder
from llamafarm_universal.messages import ChatPrompt, Generate, Sampling

PICTURE = {"type": "image"}
SOUND = {"type": "audio"}
TOKENS = 24
GREEDY: dict[str, Any] = {"temperature": 0.0, "max_tokens": TOKENS, "ignore_eos": True}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


@dataclass
class Seeing:
    """An engine with one model, and the model as transformers runs it."""

    driven: Any
    folder: Path
    spool: SpoolFolder

    def chat(self, *messages: dict[str, Any], media: tuple[Blob, ...] = ()) -> ChatPrompt:
        return ChatPrompt(messages, media=media, folder=self.spool)

    def start(self, *messages: dict[str, Any], media: tuple[Blob, ...] = (), salt: str = "", **changes: Any) -> str:
        sampling = Sampling(**{**GREEDY, **changes})
        return str(self.driven.start(Generate(self.chat(*messages, media=media), sampling, cache_salt=salt)))

    def tokens(self, *messages: dict[str, Any], media: tuple[Blob, ...] = ()) -> list[int]:
        """An answer that runs alone."""
        request_id = self.start(*messages, media=media)
        self.driven.run()
        return list(self.driven.tokens[request_id, 0])

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForMultimodalLM

        model = AutoModelForMultimodalLM.from_pretrained(self.folder).eval()
        for part in model.modules():
            if hasattr(part, "generation_config"):
                part.generation_config.eos_token_id = None
        return model

    @cached_property
    def processor(self) -> Any:
        return self.driven.engine._prompts._media.processor

    def inputs(self, messages: list[dict[str, Any]]) -> Any:
        """What the processor makes of messages whose parts hold pictures themselves."""
        return self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )

    def expected(self, inputs: Any) -> list[int]:
        written: list[int] = self.model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)[0].tolist()
        return written[-TOKENS:]
