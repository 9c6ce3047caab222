"""The parts of messages: texts, pictures, sounds and films.

Source of the shapes: OpenAI's API reference, `image_url` and `input_audio`; `audio_url` and `video_url` are what vLLM
adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm.errors import RequestError

from llamafarm_universal.media.formats import Kind
from llamafarm_universal.message_parts import FEATURES, not_taken
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.fields import any_text, as_object, show, text, wrong
from llamafarm_universal.server.inputs import MediaSource
from llamafarm_universal.server.resident import Resident

Part = dict[str, Any]
"""As chat templates read it; a picture, a sound and a film have a `source` besides, until their files are there."""
_TYPES = ("text", "image_url", "input_audio", "audio_url", "video_url")
DETAILS = ("auto", "low", "high")


def content_part(value: Any, path: str) -> Part:
    """Raises RequestError for what is no part, and for one of a type that is not known."""
    part = as_object(value, path)
    match part.get("type"):
        case "text":
            return {"type": "text", "text": any_text(part.get("text"), f"{path}.text")}
        case "image_url":
            return {"type": "image", "source": _picture(part.get("image_url"), f"{path}.image_url")}
        case "input_audio":
            return {"type": "audio", "source": _sound(part.get("input_audio"), f"{path}.input_audio")}
        case "audio_url":
            return {"type": "audio", "source": _address(part.get("audio_url"), f"{path}.audio_url", "sound")}
        case "video_url":
            return {"type": "video", "source": _address(part.get("video_url"), f"{path}.video_url", "film")}
        case kind:
            raise unreadable(path, f"a part of type {show(kind)} cannot be read")


def sources_in(message: Mapping[str, Any]) -> list[MediaSource]:
    """Where the pictures, sounds and films of a message come from, in their order."""
    content = message["content"]
    return [] if isinstance(content, str) else [part["source"] for part in content if "source" in part]


def without_sources(messages: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The messages, whose files lie elsewhere."""
    return tuple({**message, "content": _without_source(message["content"])} for message in messages)


def check_taken(messages: Sequence[Mapping[str, Any]], resident: Resident | None) -> None:
    """Refuse, before anything is fetched, what a loaded model does not take. Raises LlamaFarmError."""
    if resident is None or resident.model is None:
        return
    features = resident.model.features
    for message in messages:
        for part in [] if isinstance(message["content"], str) else message["content"]:
            if part["type"] in FEATURES and FEATURES[part["type"]] not in features:
                takes_any = features.intersection(FEATURES.values())
                raise failure(not_taken(part["type"] if takes_any else None).event(""))


def unreadable(path: str, why: str) -> RequestError:
    """A part that cannot be read."""
    return RequestError(
        f"{path}: {why}.",
        hint="Parts of these types can be sent to models that take them: " + ", ".join(map(repr, _TYPES)) + ".",
        param=path,
        code="unsupported_content",
    )


def _picture(value: Any, path: str) -> MediaSource:
    if isinstance(value, dict) and value.get("detail") not in (None, *DETAILS):
        wrong(f"{path}.detail", "one of " + ", ".join(map(repr, DETAILS)), value["detail"])
    return _address(value, path, "picture")


def _address(value: Any, path: str, kind: Kind) -> MediaSource:
    """An object with a `url`, or the address or data URL itself."""
    url = value if isinstance(value, str) else as_object(value, path).get("url")
    return MediaSource(text(url, path if isinstance(value, str) else f"{path}.url"), path, kind)


def _sound(value: Any, path: str) -> MediaSource:
    """Its `format` is not looked at: what a sound is, its content says."""
    return MediaSource(text(as_object(value, path).get("data"), f"{path}.data"), path, "sound")


def _without_source(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [{name: item for name, item in part.items() if name != "source"} for part in content]
