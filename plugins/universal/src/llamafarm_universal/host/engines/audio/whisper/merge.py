"""Windows that overlap, put together: what two of them have heard stands once in the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llamafarm_universal.host.engines.audio.whisper.reading import Heard
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary
from llamafarm_universal.messages.work.audio import Segment, Word


class Merger:
    """Takes windows in their order. Times of segments that lie where windows overlap are left out, and what is said
    there is matched token by token.

    precision: seconds of one step of time. words: of the segments so far, where their times are known. language:
    of the recording, its English name, once it is known.

    Source: transformers' `_decode_asr`, whose segments and texts these are.
    """

    def __init__(self, vocabulary: Vocabulary, precision: float) -> None:
        self._vocabulary = vocabulary
        self._precision = precision
        self._times = vocabulary.times
        self._offset = 0.0
        self._pending: list[list[Heard]] = []
        self._start: float | None = None
        self._end = 0.0
        self._skips = False
        self.words: list[Word] = []
        self.language: str | None = None

    def add(self, heard: Sequence[Heard], length: float, left: float, right: float) -> list[Segment]:
        """The segments that are complete once this window is there. length, left, right: of the window, in seconds."""
        self._offset -= left
        first = self._times + left / self._precision
        last = self._last_time(heard, length - right) if right else None
        current: list[Heard] = []
        segments: list[Segment] = []
        for each in heard:
            if each.token < self._times:
                if self._vocabulary.is_text(each.token):
                    current.append(self._placed(each))
                continue
            time = round((each.token - self._times) * self._precision + self._offset, 2)
            if last is not None and each.token >= last:
                self._skips = True  # the next window has it, too
            elif self._skips or (self._pending and each.token < first):
                self._skips = False
            elif self._start is None:
                self._start = time
            elif time != self._start:
                segments += self._ended(time, current)
                current = []
        self._offset += length - right
        if current:
            self._pending.append(current)
        elif not any(self._pending):
            self._pending, self._start = [], None
        return segments

    def _placed(self, each: Heard) -> Heard:
        """A token of a window, with its times in the recording."""
        if each.start is None or each.end is None:
            return each
        return each._replace(start=round(each.start + self._offset, 2), end=round(each.end + self._offset, 2))

    def finish(self) -> list[Segment]:
        """What is left when the last window has been added, where the model has told no end of it."""
        return self._ended(self._offset, [])

    def _last_time(self, heard: Sequence[Heard], right_start: float) -> int | None:
        """The first time from which on all lie where the next window begins; at least the last one of them."""
        last = None
        for each in reversed(heard):
            if each.token >= self._times:
                if last is not None and (each.token - self._times) * self._precision < right_start:
                    break
                last = each.token
        return last

    def _ended(self, end: float, current: list[Heard]) -> list[Segment]:
        heard = joined([*self._pending, current] if current else self._pending)
        start = self._end if self._start is None else self._start
        self._pending, self._start = [], None
        if not heard:
            return []
        self._end = max(start, end)
        if heard[0].start is not None:
            timed = [(each.token, each.start or 0.0, each.end or 0.0) for each in heard]
            self.words += self._vocabulary.words(timed, self.language)
        tokens = [each.token for each in heard]
        attempt = heard[-1].attempt
        return [
            Segment(
                start,
                self._end,
                self._vocabulary.text(tokens),
                tuple(tokens),
                attempt.temperature,
                attempt.avg_logprob,
                attempt.compression_ratio,
                attempt.no_speech_prob,
            )
        ]


def joined(parts: Sequence[list[Heard]]) -> list[Heard]:
    """What neighbours have heard, with the tokens once that the end of each has in common with the start of the next.

    Of what they share, the first half is the left one's, and the second the right one's.
    """
    if not parts:
        return []
    total: list[Heard] = []
    left = parts[0]
    for right in parts[1:]:
        left_middle, right_middle = _middle(left, right)
        total += left[:left_middle]
        left = right[right_middle:]
    return total + left


def _middle(left: list[Heard], right: list[Heard]) -> tuple[int, int]:
    """Where to leave `left`, and where to enter `right`: in the middle of the best match of the two.

    `right` is slid over the end of `left`. The match with the largest share of equal tokens wins; a longer one wins
    over a shorter one of the same share.
    """
    ours, theirs = (np.array([each.token for each in side]) for side in (left, right))
    best, where = 0.0, (len(left), len(left), 0, 0)
    for shift in range(1, len(left) + len(right)):
        start, stop = max(0, len(left) - shift), min(len(left), len(left) + len(right) - shift)
        other_start, other_stop = max(0, shift - len(left)), min(len(right), shift)
        matches = int((ours[start:stop] == theirs[other_start:other_stop]).sum())
        score = matches / shift + shift / 10_000
        if matches > 1 and score > best:
            best, where = score, (start, stop, other_start, other_stop)
    start, stop, other_start, other_stop = where
    return (start + stop) // 2, (other_start + other_stop) // 2
