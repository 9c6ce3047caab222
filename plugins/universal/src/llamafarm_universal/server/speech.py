"""POST /v1/audio/speech: a text, spoken sentence by sentence.

Source of the shapes: OpenAI's API reference, "Create speech".
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.web import EventStream, PassingAnswer
from llamafarm.wire import sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.sound_formats import SOUND_FORMATS, wav_head
from llamafarm_universal.messages import Blob, Finished, Speak
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.models import error_frame
from llamafarm_universal.server.runtime import Ticket
from llamafarm_universal.server.sentences import sentences_of
from llamafarm_universal.server.sound_encoder import encoded


async def speak(request: Request, parsed: Parsed, *, folder: SpoolFolder) -> Response:
    """Have a text spoken. What fails before the first sound is there is a status."""
    runtime, form = runtime_of(request), parsed.get("response_format", "mp3")
    texts = sentences_of(_plain(parsed.values["input"]))
    if not texts:
        raise RequestError("There is nothing to speak: 'input' is empty.", param="input", code="invalid_value")
    work = Speak(texts, parsed.get("voice"), parsed.get("speed", 1.0), parsed.get("seed", 0))
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    ticket = await runtime.submit(ref, (work,), caller_of(request), folder=folder)
    try:
        sound = await Sound.begin(ticket, len(texts))
    except BaseException:
        ticket.close()
        raise
    pieces, headers = _written(sound, form, grows="stream_format" in parsed.values), ignored_header(parsed)
    if parsed.get("stream_format") == "sse":
        keep_alive = runtime.settings.keep_alive_seconds
        frames = _frames(pieces)
        return EventStream(frames, close=ticket.close, keep_alive=keep_alive, headers=headers, error_frame=error_frame)
    return PassingAnswer(pieces, SOUND_FORMATS[form].media_type, close=ticket.close, headers=headers)


def _plain(text: str) -> str:
    """Raises RequestError for SSML, the tags of which would be read aloud."""
    if text.lstrip().lower().startswith(("<speak>", "<speak ", "<?xml")):
        raise RequestError(
            "'input' is SSML, and the models here read plain text.",
            hint="Send the text without its tags: full stops and new lines are where it pauses.",
            param="input",
            code="invalid_value",
        )
    return text


class Sound:
    """What is spoken, sentence by sentence. rate: samples of a second."""

    def __init__(self, ticket: Ticket, count: int, first: Finished) -> None:
        self._ticket = ticket
        self._count = count
        self._come = {first.index: first.value}
        self.rate = int(first.value.media_type.partition("rate=")[2])

    @classmethod
    async def begin(cls, ticket: Ticket, count: int) -> Sound:
        """Wait for the first sentence. Raises LlamaFarmError."""
        while not isinstance(event := await ticket.events.next(), Finished):
            pass
        return cls(ticket, count, event)

    async def samples(self) -> AsyncGenerator[bytes, None]:
        """Those of each sentence in its turn. Raises LlamaFarmError."""
        for number in range(self._count):
            while number not in self._come:
                event = await self._ticket.events.next()
                if isinstance(event, Finished):
                    self._come[event.index] = event.value
            blob: Blob = self._come.pop(number)
            yield await asyncio.to_thread(blob.read)


def _written(sound: Sound, form: str, *, grows: bool) -> AsyncGenerator[bytes, None]:
    """The sound in a format. grows: whether a WAV is wanted as it grows, before anybody knows how long it will be."""
    if form != "wav":
        return encoded(sound.samples(), form, sound.rate)
    return _growing_wav(sound) if grows else _whole_wav(sound)


async def _growing_wav(sound: Sound) -> AsyncGenerator[bytes, None]:
    yield wav_head(sound.rate, None)
    async with aclosing(sound.samples()) as samples:
        async for piece in samples:
            yield piece


async def _whole_wav(sound: Sound) -> AsyncGenerator[bytes, None]:
    content = b"".join([piece async for piece in sound.samples()])
    yield wav_head(sound.rate, len(content)) + content


async def _frames(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield sse.encode({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode("ascii")})
    usage: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield sse.encode({"type": "speech.audio.done", "usage": usage})
