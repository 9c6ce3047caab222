"""From messages with pictures, sounds and films to a prompt, by the model's own processor."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from llamafarm_universal.engine import ChatPrompt, MediaSettings, refused
from llamafarm_universal.host.engines.text.multimodal.arrays import TEXT_ARRAYS, media_of
from llamafarm_universal.host.engines.text.multimodal.decoding import SEEN_AS, MediaDecoder
from llamafarm_universal.host.engines.text.multimodal.medium import MediaPrompt
from llamafarm_universal.message_parts import FEATURES, NAMES, not_taken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llamafarm_universal.host.engines.text.multimodal.decoding import Decoded

Delivery = Literal["apart", "together", "whole"]
"""How a model gets the media of a prompt: each by itself, all at once, or with the prompt in its own forward."""
TEMPLATE_FLAGS = frozenset({"add_generation_prompt", "continue_final_message"})
"""Options that every chat template has."""
_PROBE = "qwertz"


class MediaPrompts:
    """Used by several threads at once. processor, module: of the model. kinds: which parts of messages it takes."""

    def __init__(self, processor: Any, module: Any, media: MediaSettings) -> None:
        self.processor = processor
        self.delivery: Delivery = "apart"
        self._looks_both_ways = False
        self._media = media
        self._positions_of = getattr(getattr(module, "model", None), "get_rope_index", None)
        self.kinds = _kinds(processor)
        self._marks = _marks(processor, module.config)
        self._template = bool(processor.chat_template)
        self._takes_texts = self._template and self._says_texts()
        self._spells_marks = True
        self._spells_marks = self._template and self._can_spell_marks()

    def read(self, delivery: Delivery, *, both_ways: bool = False) -> MediaPrompts:
        """The same for a model that gets media so. both_ways: whether the tokens of a picture look at one another."""
        other = copy(self)
        other.delivery, other._looks_both_ways = delivery, both_ways
        return other

    @property
    def features(self) -> frozenset[str]:
        """What can be asked of it."""
        return frozenset({"chat", *(FEATURES[kind] for kind in self.kinds)})

    def prompt(
        self, prompt: ChatPrompt, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> MediaPrompt:
        """The prompt that messages make. messages: of `prompt`, as they are shown to the template; options: for it.

        Raises RequestFailed for media that cannot be read; whatever the template and the processor raise.
        """
        kinds = [kind for message in messages for kind in _kinds_in(message)]
        for kind in kinds:
            if SEEN_AS.get(kind, kind) not in self.kinds:
                raise not_taken(kind)
        decoder = MediaDecoder(self._media, _rate(self.processor))
        decoder.check_films(kinds, takes_several=self._template)
        decoded = list(decoder.decoded(prompt.media, kinds, prompt.folder))
        media = iter(decoded)
        shown = [self._shown(message, media) for message in messages]
        tools = [dict(tool) for tool in prompt.tools] or None
        return self.made(shown, sum(map(len, decoded)), tools, options) if self._template else self._plain(shown)

    def made(
        self,
        messages: list[dict[str, Any]],
        count: int,
        tools: Any = None,
        options: Mapping[str, Any] | None = None,
    ) -> MediaPrompt:
        """The prompt that messages with so many decoded media make."""
        if not self._spells_marks:
            self._check_marks([messages, tools])
        made = self.processor.apply_chat_template(
            messages,
            tools=tools,
            tokenize=True,
            return_dict=True,
            return_tensors="np",
            sanitize_control_tokens=self._spells_marks,
            processor_kwargs={"return_mm_token_type_ids": True} if self._positions_of else {},
            **{"add_generation_prompt": True, **self._known(options or {})},
        )
        return self._of(made, count)

    def sample(self) -> MediaPrompt:
        """A prompt with two media of the first kind, which are not alike."""
        kind = self.kinds[0]
        texts = [{"type": "text", "text": text} for text in ("First.", "Which of them is larger?")]
        parts = [_part(kind, medium) for medium in _samples(kind)]
        content = [texts[0], parts[0], texts[1], parts[1]] if self._template else [texts[1], parts[0]]
        messages = [{"role": "user", "content": content}]
        return self.made(messages, 2) if self._template else self._plain(messages)

    def _plain(self, messages: list[dict[str, Any]]) -> MediaPrompt:
        """Of a model without a chat template: one question about its media."""
        if len(messages) != 1 or messages[0]["role"] != "user":
            raise refused(
                "This model has no chat template: it holds no conversations.",
                "messages",
                hint="Send one message of the user, with a text and what it is about.",
            )
        content = messages[0]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        self._check_marks(messages)
        media = {name: [part[kind] for part in parts if part["type"] == kind] for kind, name in _ARGUMENTS.items()}
        given = {name: items for name, items in media.items() if items}
        made = self.processor(text=text, **given, return_tensors="np")
        return self._of(made, sum(map(len, given.values())))

    def _check_marks(self, given: Any) -> None:
        """Raises RequestFailed for a text in which something would be taken for a picture, or for the end of a turn.

        given: all that the template gets.
        """
        marks = {*self.processor.tokenizer.all_special_tokens, *_marks_of_media(self.processor)}
        for text in _texts(given):
            if mark := next((mark for mark in sorted(marks) if mark in text), None):
                raise refused(f"A text must not hold {mark!r}: this model takes it for a mark of its own.", "messages")

    def _of(self, made: Mapping[str, NDArray[Any]], count: int) -> MediaPrompt:
        tokens = [int(token) for token in np.asarray(made["input_ids"]).reshape(-1)]
        arrays = {name: array for name, array in made.items() if name not in TEXT_ARRAYS}
        if self.delivery == "whole" and arrays:
            return MediaPrompt(tokens, (), inputs={**made})
        media = media_of(tokens, arrays, self._marks, count, apart=self.delivery == "apart")
        positions = self._positions(made) if media and self._positions_of else None
        return MediaPrompt(tokens, tuple(media), positions, looks_both_ways=self._looks_both_ways)

    def _positions(self, made: Mapping[str, NDArray[Any]]) -> list[list[int]]:
        """Of models that count the rows and columns of pictures (Qwen2-VL and its kin)."""
        import torch

        accepted = inspect.signature(self._positions_of).parameters  # type: ignore[arg-type]
        given = {name: torch.as_tensor(array) for name, array in made.items() if name in accepted}
        positions, _ = self._positions_of(**given)  # type: ignore[misc]
        return [[int(place) for place in axis] for axis in positions[:, 0].tolist()]

    def _shown(self, message: Mapping[str, Any], media: Iterator[Sequence[Decoded]]) -> dict[str, Any]:
        """A message with its media, as the template takes it."""
        content = message["content"]
        if isinstance(content, str):
            return {**message, "content": content if self._takes_texts else [{"type": "text", "text": content}]}
        return {**message, "content": [given for part in content for given in _with_media(part, media)]}

    def _known(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the template heeds: the processor would take others for its own."""
        template = str(self.processor.chat_template)
        return {name: value for name, value in options.items() if name in template or name in TEMPLATE_FLAGS}

    def _says_texts(self) -> bool:
        """Whether the template says what a message says that is a text, and no list of parts."""
        messages = [{"role": "user", "content": _PROBE}]
        try:
            return _PROBE in self.processor.apply_chat_template(messages, tokenize=False)
        except Exception:  # noqa: BLE001 - whatever a template stumbles over
            return False

    def _can_spell_marks(self) -> bool:
        """Whether "<image>" and "<|im_end|>" in a text can be told from marks (the processor of Idefics 3 cannot)."""
        try:
            return bool(self.sample().tokens)
        except Exception:  # noqa: BLE001 - whatever a processor stumbles over
            return False


_ARGUMENTS = {"image": "images", "audio": "audio"}
"""What processors call the media of a kind."""


def _kinds(processor: Any) -> list[str]:
    parts = {"image": ("image_processor",), "audio": ("feature_extractor", "audio_processor")}
    return [kind for kind, names in parts.items() if any(getattr(processor, name, None) for name in names)]


def _kinds_in(message: Mapping[str, Any]) -> list[str]:
    content = message["content"]
    return [] if isinstance(content, str) else [part["type"] for part in content if part["type"] in NAMES]


def _marks(processor: Any, config: Any) -> frozenset[int]:
    """The ids in whose places the vectors of media stand."""
    ids: list[Any] = []
    for kind in _ARGUMENTS:
        own = getattr(processor, f"{kind}_token_ids", None) or [getattr(processor, f"{kind}_token_id", None)]
        ids += [*own, getattr(config, f"{kind}_token_id", None), getattr(config, f"{kind}_token_index", None)]
    return frozenset(number for number in ids if isinstance(number, int))


def _marks_of_media(processor: Any) -> list[str]:
    return [str(mark) for mark in getattr(processor, "all_special_multimodal_tokens", ()) if mark]


def _texts(value: Any) -> Iterator[str]:
    """All texts inside lists and objects, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.items() for part in item for text in _texts(part))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))


def _with_media(part: Mapping[str, Any], media: Iterator[Sequence[Decoded]]) -> list[dict[str, Any]]:
    """What the template gets for a part: a film is its pictures, in their order."""
    kind = part["type"]
    return [_part(SEEN_AS.get(kind, kind), medium) for medium in next(media)] if kind in NAMES else [dict(part)]


def _part(kind: str, medium: Any) -> dict[str, Any]:
    return {"type": kind, kind: medium}


def _rate(processor: Any) -> int:
    extractor = getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)
    return int(getattr(extractor, "sampling_rate", 16_000))


def _samples(kind: str) -> list[Any]:
    """Two media that a model is tried with."""
    from PIL import Image

    noise = np.random.default_rng(0)
    if kind == "audio":
        return [noise.uniform(-0.5, 0.5, size).astype(np.float32) for size in (8_000, 12_000)]
    shapes = ((56, 84, 3), (84, 56, 3))
    return [Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
