"""Pictures: made of a text, changed, and varied.

Source: OpenAI's API reference, "Images". Fields that one server has beside these (a seed, steps, a negative prompt) go
to it as they are.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from llamafarm.wire.upload import Upload

Format = Literal["url", "b64_json"]


class _PicturesRequest(TypedDict):
    """What every request for pictures may hold. size: `WIDTHxHEIGHT` in pixels, or `auto`. n: how many."""

    model: NotRequired[str]
    n: NotRequired[int | None]
    size: NotRequired[str | None]
    response_format: NotRequired[Format | None]
    user: NotRequired[str | None]


class _DrawingRequest(_PicturesRequest):
    """What a request may hold that says in words what is to be seen. output_compression: in percent.

    partial_images: how many unfinished ones a stream shows before. complexity: how much is planned before it is drawn.
    svg: for that output format, the model that writes it and its effort. frame_count, frame_duration_ms: of a GIF.
    """

    quality: NotRequired[str | None]
    background: NotRequired[str | None]
    output_format: NotRequired[str | None]
    output_compression: NotRequired[int | None]
    partial_images: NotRequired[int | None]
    complexity: NotRequired[str | None]
    svg: NotRequired[dict[str, Any] | None]
    frame_count: NotRequired[int | None]
    frame_duration_ms: NotRequired[int | None]
    stream: NotRequired[bool | None]


class ImageRequest(_DrawingRequest):
    """A picture to be made.

    Source: OpenAI's API reference, "Create image".
    """

    prompt: str
    style: NotRequired[str | None]
    moderation: NotRequired[str | None]


class ImageEditRequest(_DrawingRequest):
    """Pictures to be changed as the prompt says. mask: where it is transparent, the first picture is changed.

    markup: a transparent picture laid over the first one, to show what is meant. input_fidelity: how closely the given
    pictures are kept.

    Source: OpenAI's API reference, "Create image edit".
    """

    image: Upload | list[Upload]
    prompt: str
    mask: NotRequired[Upload | None]
    markup: NotRequired[Upload | None]
    input_fidelity: NotRequired[str | None]


class ImageVariationRequest(_PicturesRequest):
    """A picture of which others like it are made.

    Source: OpenAI's API reference, "Create image variation".
    """

    image: Upload


class Image(TypedDict):
    url: NotRequired[str]
    b64_json: NotRequired[str]
    revised_prompt: NotRequired[str]


class ImagesResponse(TypedDict):
    """The pictures, by address or as base64 of their files.

    Source: OpenAI's API reference, "The image generation response".
    """

    created: int
    data: list[Image]
    usage: NotRequired[dict[str, Any]]
