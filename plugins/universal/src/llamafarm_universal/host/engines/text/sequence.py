"""One answer on its way: from token ids to pieces of text."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from llamafarm_universal.host.engines.text.context import Context
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.grammar import Constraint
from llamafarm_universal.host.engines.text.parse import Parser, Part
from llamafarm_universal.host.engines.text.sampling import Sampler, Scores
from llamafarm_universal.messages import Channel, TokenLogprob, Usage

Reason = Literal["stop", "length"]


@dataclass(frozen=True)
class Said:
    """A part of an answer, with the log probabilities of the tokens that it begins with."""

    channel: Channel
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Output:
    """What one token added. reason: set when the sequence has ended with it."""

    said: tuple[Said, ...] = ()
    reason: Reason | None = None


class Sequence:
    """A prompt, what has been generated, and the state that generating needs.

    context: what the model reads. count: tokens of the answer. constraint: what holds it to a format. first: another
    answer to the same prompt, which reads it before this one does.
    """

    def __init__(
        self,
        request_id: str,
        index: int,
        context: Context,
        max_tokens: int,
        sampler: Sampler,
        detokenizer: Detokenizer,
        parser: Parser,
        constraint: Constraint | None = None,
        first: Sequence | None = None,
    ) -> None:
        self.request_id = request_id
        self.index = index
        self.context = context
        self.sampler = sampler
        self.constraint = constraint
        self.count = 0
        self.first = first
        self._max_tokens = max_tokens
        self._detokenizer = detokenizer
        self._parser = parser
        self._decoded = 0  # characters
        self._logprobs: deque[tuple[int, TokenLogprob]] = deque()  # with where each token's text begins

    @property
    def usage(self) -> Usage:
        prompt = len(self.context.source) or len(self.context.tokens) - self.count
        return Usage(prompt, self.count, self.context.shared or 0)

    @property
    def left(self) -> int:
        """How many tokens the answer may still get."""
        return self._max_tokens - self.count

    @property
    def can_be_guessed(self) -> bool:
        """Whether a token can be chosen without telling sampler and constraint of those before it."""
        return self.constraint is None and not self.sampler.changes_logits

    def push(self, token: int, scores: Scores | None) -> Output:
        """Take the next token: its text, as far as it can be sent, and whether the sequence has ended."""
        self.count += 1
        self.context.tokens.append(token)
        self.sampler.add(token)
        if token in self.sampler.settings.end_tokens:
            return self._ended("stop", self._detokenizer.flush())
        logprob = None if scores is None else self._logprob(token, scores)
        text = self._detokenizer.push(token)
        if logprob is not None:
            # A token that ends text held back so far begins behind that text.
            own = len(logprob.token.decode(errors="replace"))
            self._logprobs.append((self._decoded + max(0, len(text) - own), logprob))
        if self._completes(token):
            return self._ended("stop", text + self._detokenizer.flush())
        if self.count >= self._max_tokens:
            return self._ended("length", text + self._detokenizer.flush())
        return self._output(self._parse(text), None)

    def _completes(self, token: int) -> bool:
        """Whether nothing can follow a token in the format that the answer is held to."""
        if self.constraint is None:
            return False
        self.constraint.advance(token)
        return self.constraint.is_finished

    def _logprob(self, token: int, scores: Scores) -> TokenLogprob:
        logprob, alternatives = scores
        spelled = self._detokenizer.bytes_of
        return TokenLogprob(spelled(token), logprob, tuple((spelled(other), value) for other, value in alternatives))

    def _ended(self, reason: Reason, text: str) -> Output:
        output = self._output([*self._parse(text), *self._parser.finish()], reason)
        if self._parser.stopped or not self._logprobs:
            return output
        rest = Said("text", "", tuple(logprob for _, logprob in self._logprobs))  # tokens without text of their own
        return Output((*output.said, rest), reason)

    def _parse(self, text: str) -> list[Part]:
        self._decoded += len(text)
        if self.count <= self.sampler.settings.min_tokens:
            self._parser.spare(self._decoded)
        return self._parser.feed(text)

    def _output(self, parts: list[Part], reason: Reason | None) -> Output:
        said = tuple(Said(part.channel, part.text, self._logprobs_before(part.end)) for part in parts)
        return Output(said, "stop" if self._parser.stopped else reason)

    def _logprobs_before(self, end: int) -> tuple[TokenLogprob, ...]:
        """Those of the tokens that begin before that character: they go with its text, so that the two never part."""
        logprobs = []
        while self._logprobs and self._logprobs[0][0] < end:
            logprobs.append(self._logprobs.popleft()[1])
        return tuple(logprobs)
