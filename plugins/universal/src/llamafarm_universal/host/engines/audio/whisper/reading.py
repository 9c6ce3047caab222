"""What the model has written down of a window, and how far it has come in it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

LOWEST_LOGPROB = -1.0
"""The mean log probability below which a text looks like a failure."""
HIGHEST_COMPRESSION = 2.4
"""A text that is compressed to less than a share like this says the same thing again and again."""
NO_SPEECH = 0.6
"""How likely it is that nobody speaks where a text that looks like a failure is no text at all."""


@dataclass(frozen=True)
class Attempt:
    """What is known of one text of the model. Source of the fields: openai-whisper's DecodingResult."""

    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float

    @property
    def is_silence(self) -> bool:
        return self.no_speech_prob > NO_SPEECH and self.avg_logprob < LOWEST_LOGPROB

    @property
    def has_failed(self) -> bool:
        """Whether another temperature may do better. Source: openai-whisper's decode_with_fallback."""
        if self.is_silence:
            return False
        return self.avg_logprob < LOWEST_LOGPROB or self.compression_ratio > HIGHEST_COMPRESSION


class Heard(NamedTuple):
    """A token of a window: text, or a time, counted from the beginning of the window. attempt: that it is from.

    start, end: in seconds, counted likewise, where somebody wants to know.
    """

    token: int
    attempt: Attempt
    start: float | None = None
    end: float | None = None


def compression_ratio(text: str) -> float:
    """How many times smaller a text is when it is compressed."""
    content = text.encode()
    return len(content) / len(zlib.compress(content)) if content else 0.0


def kept(tokens: list[int], times: int) -> tuple[list[int], int | None]:
    """What of a text counts, and behind which step of time the model is to read on; None: it has read all.

    times: the token of 0 seconds. Two times behind one another end one segment and begin the next. Where the text goes
    on behind the last such pair, or ends with it, the segment there is not finished: it is read again from its start,
    which is told anew then. Source: openai-whisper's transcribe.
    """
    is_time = [token >= times for token in tokens]
    pairs = [at + 1 for at in range(len(tokens) - 1) if is_time[at] and is_time[at + 1]]
    if not pairs or is_time[-2:] == [False, True]:
        return tokens, None
    return tokens[: pairs[-1]], tokens[pairs[-1] - 1] - times


def shifted(tokens: list[int], times: int, steps: int) -> list[int]:
    """Tokens whose times are later by so many steps."""
    return [token + steps if token >= times else token for token in tokens]
