"""What models are asked about: texts, token ids, pictures and sounds, one or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llamafarm.errors import RequestError

from llamafarm_universal.media.formats import Kind
from llamafarm_universal.messages import Blob
from llamafarm_universal.server.fields import as_list, text, wrong

MAX_INPUTS = 2048
MAX_COUNTED = 16_384
"""Texts whose tokens are counted: no model reads them."""
MAX_LABELS = 256
MAX_PROMPTS = 16
MAX_PICTURES = 128
"""In one request: as many as are decoded well within the time that a request may take to prepare."""
MAX_SOUNDS = 32
MAX_TOKENS = 1_000_000
"""Ids in one request: no prompt has so many, and a few million would hold up whatever else a process does."""
MAX_TOKEN_ID = 2**31 - 1
AT_ONCE = 10_000
"""So many ids are checked before other threads may run."""
_SOUND_PARTS = {"audio": "data", "input_audio": "data", "audio_url": "url"}
"""What an object may hold that is a sound, and under which name it stands in there."""
TEXT_OR_IDS = "a text or a list of token ids, and not empty"
TEXT_OR_PICTURE = "an object with either `text`, `image` or `image_url`"


@dataclass(eq=False)
class MediaSource:
    """A file, as a request names it.

    source: a data URL, base64 alone, or an address. param: where it stands. blob: the file itself, of a form.
    """

    source: str = field(repr=False)
    param: str
    kind: Kind = "picture"
    blob: Blob | None = None

    def take(self) -> str:
        """The source, which is forgotten: it may be large, and its request may wait for long."""
        source, self.source = self.source, ""
        return source


def prompt(value: Any, path: str) -> tuple[str | tuple[int, ...], ...]:
    return texts_or_ids(value, path, most=MAX_PROMPTS)


def embedding_input(value: Any, path: str) -> tuple[str | tuple[int, ...] | MediaSource, ...]:
    """Texts, token ids and pictures: one of them, or a list.

    Source of the objects: Jina's API, `{"text": …}` and `{"image": …}`, and the parts of OpenAI's chat messages.
    """
    if isinstance(value, dict):
        return (_text_or_picture(value, path),)
    if not isinstance(value, list) or not any(isinstance(item, dict) for item in value):
        return texts_or_ids(value, path, most=MAX_INPUTS)
    items = as_list(value, path, most=MAX_INPUTS)
    _check_count(sum(len(item) for item in items if isinstance(item, list)), path)
    inputs = tuple(
        _text_or_picture(item, f"{path}[{i}]") if isinstance(item, dict) else _text_or_ids(item, f"{path}[{i}]")
        for i, item in enumerate(items)
    )
    pictures = sum(isinstance(item, MediaSource) for item in inputs)
    if pictures > MAX_PICTURES:
        wrong(path, f"a list with at most {MAX_PICTURES} pictures", value)
    return inputs


def pictures(value: Any, path: str) -> tuple[MediaSource, ...]:
    """A picture, or a list of pictures: each a text, or an object as in `embedding_input`."""
    return _one_or_several(_picture, value, path, MAX_PICTURES)


def sounds(value: Any, path: str) -> tuple[MediaSource, ...]:
    """A sound, or a list of sounds: each a text, or an object with `audio` or one of the parts of chat messages.

    Source of the objects: OpenAI's `{"input_audio": {"data": …}}`, and `{"audio_url": {"url": …}}`, as vLLM has it.
    """
    return _one_or_several(_sound, value, path, MAX_SOUNDS)


def _one_or_several(
    parse: Callable[[Any, str], MediaSource], value: Any, path: str, most: int
) -> tuple[MediaSource, ...]:
    if not isinstance(value, list):
        return (parse(value, path),)
    return tuple(parse(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=most)))


def texts(value: Any, path: str) -> tuple[str, ...]:
    """A text, or a list of texts; none of them empty."""
    if isinstance(value, str):
        return (text(value, path),)
    return tuple(text(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=MAX_INPUTS)))


def countable(value: Any, path: str) -> tuple[str, ...]:
    """A text, or a list of texts; empty ones among them: these have no tokens."""
    items = [value] if isinstance(value, str) else as_list(value, path, most=MAX_COUNTED)
    for i, item in enumerate(items):
        if not isinstance(item, str):
            wrong(f"{path}[{i}]", "a text", item)
    return tuple(items)


def documents(value: Any, path: str) -> tuple[str, ...]:
    """The texts of a list of texts, or of objects with the text under `text`, as Cohere's and Jina's clients send."""
    items = enumerate(as_list(value, path, most=MAX_INPUTS))
    return tuple(
        text(item.get("text"), f"{path}[{i}].text") if isinstance(item, dict) else text(item, f"{path}[{i}]")
        for i, item in items
    )


def labels(value: Any, path: str) -> tuple[str, ...]:
    return tuple(text(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=MAX_LABELS)))


def texts_or_ids(value: Any, path: str, *, most: int) -> tuple[str | tuple[int, ...], ...]:
    """A text, token ids, or a list of either: what `prompt` and `input` may be."""
    if isinstance(value, list) and value and isinstance(value[0], int):
        return (_ids(value, path),)
    if not isinstance(value, list):
        return (_text_or_ids(value, path),)
    items = as_list(value, path, most=most)
    _check_count(sum(len(item) for item in items if isinstance(item, list)), path)
    return tuple(_text_or_ids(item, f"{path}[{i}]") for i, item in enumerate(items))


def _text_or_picture(value: dict[str, Any], path: str) -> str | MediaSource:
    """What an object holds beside its `type`, which may be left out."""
    given = {name: item for name, item in value.items() if item is not None}
    kind = given.pop("type", None)
    if len(given) != 1 or not given.keys() <= {"text", "image", "image_url"} or kind not in (None, *given):
        wrong(path, TEXT_OR_PICTURE, value)
    [(name, item)] = given.items()
    where = f"{path}.{name}"
    if name == "text":
        return text(item, where)
    if name == "image_url" and isinstance(item, dict):
        item, where = item.get("url"), f"{where}.url"
    return MediaSource(text(item, where), path)


def _picture(value: Any, path: str) -> MediaSource:
    if isinstance(value, MediaSource):
        return value
    if isinstance(value, dict) and isinstance(found := _text_or_picture(value, path), MediaSource):
        return found
    if not isinstance(value, str) or not value:
        wrong(path, "a picture: a data URL, base64, an address, or an object with `image` or `image_url`", value)
    return MediaSource(value, path)


def _sound(value: Any, path: str) -> MediaSource:
    if isinstance(value, MediaSource):
        return value
    if isinstance(value, dict):
        given = {name: item for name, item in value.items() if item is not None and name != "type"}
        if len(given) == 1 and given.keys() <= _SOUND_PARTS.keys() and value.get("type") in (None, *given):
            [(name, item)] = given.items()
            inner = _SOUND_PARTS[name]
            value = item.get(inner) if isinstance(item, dict) else item
    if not isinstance(value, str) or not value:
        wrong(path, "a sound: a data URL, base64, an address, or an object with one of these as `audio`", value)
    return MediaSource(value, path, "sound")


def _text_or_ids(value: Any, path: str) -> str | tuple[int, ...]:
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, list) or not value:
        wrong(path, TEXT_OR_IDS, value)
    return _ids(value, path)


def _ids(value: list[Any], path: str) -> tuple[int, ...]:
    """Token ids: checked without a step of Python for each, since there may be very many, nor all at once."""
    _check_count(len(value), path)
    for start in range(0, len(value), AT_ONCE):
        ids = value[start : start + AT_ONCE]
        if set(map(type, ids)) != {int} or not 0 <= min(ids) <= max(ids) <= MAX_TOKEN_ID:
            wrong(path, TEXT_OR_IDS, value)
    return tuple(value)


def _check_count(tokens: int, path: str) -> None:
    if tokens > MAX_TOKENS:
        raise RequestError(
            f"{path!r} holds {tokens:,} token ids; one request takes {MAX_TOKENS:,}.",
            hint="Ask for fewer inputs at once, or send their texts.",
            param=path,
            code="too_many_tokens",
        )
