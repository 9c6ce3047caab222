"""One answer on its way: from token ids to pieces of text."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.sampling import Sampler, Scores
from llamafarm_universal.host.engines.text.stop import StopMatcher
from llamafarm_universal.messages import TokenLogprob

Reason = Literal["stop", "length"]


@dataclass
class Output:
    """What one token added. reason: set when the sequence has ended with it."""

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    reason: Reason | None = None


class Sequence:
    """A prompt, what has been generated, and the state that generating needs.

    cache: the model's KV cache, owned by this sequence. done: how many tokens of the prompt are in it.
    """

    def __init__(
        self,
        request_id: str,
        index: int,
        prompt: list[int],
        max_tokens: int,
        end_tokens: frozenset[int],
        sampler: Sampler,
        detokenizer: Detokenizer,
        stops: StopMatcher,
    ) -> None:
        self.request_id = request_id
        self.index = index
        self.prompt = prompt
        self.done = 0
        self.cache: Any = None
        self.sampler = sampler
        self.last_token = -1
        self.count = 0
        self._max_tokens = max_tokens
        self._end_tokens = end_tokens
        self._detokenizer = detokenizer
        self._stops = stops
        self._decoded = 0  # characters
        self._sent = 0  # characters
        self._logprobs: deque[tuple[int, TokenLogprob]] = deque()  # with where each token's text begins

    @property
    def prefilling(self) -> bool:
        return self.done < len(self.prompt)

    def push(self, token: int, scores: Scores | None) -> Output:
        """Take the next token: its text, as far as it can be sent, and whether the sequence has ended."""
        self.count += 1
        self.last_token = token
        if token in self._end_tokens:
            return self._ended("stop", self._detokenizer.flush())
        logprob = None if scores is None else self._logprob(token, scores)
        text = self._detokenizer.push(token)
        if logprob is not None:
            # A token that ends text held back so far begins behind that text.
            own = len(logprob.token.decode(errors="replace"))
            self._logprobs.append((self._decoded + max(0, len(text) - own), logprob))
        if self.count >= self._max_tokens:
            return self._ended("length", text + self._detokenizer.flush())
        safe, found = self._advance(text)
        return self._output(safe, "stop" if found else None)

    def _logprob(self, token: int, scores: Scores) -> TokenLogprob:
        logprob, alternatives = scores
        spelled = self._detokenizer.bytes_of
        return TokenLogprob(spelled(token), logprob, tuple((spelled(other), value) for other, value in alternatives))

    def _ended(self, reason: Reason, text: str) -> Output:
        safe, found = self._advance(text)
        if found:
            return self._output(safe, "stop")
        output = self._output(safe + self._stops.flush(), reason)
        output.logprobs += tuple(logprob for _, logprob in self._logprobs)  # tokens without text of their own
        return output

    def _advance(self, text: str) -> tuple[str, bool]:
        self._decoded += len(text)
        return self._stops.push(text)

    def _output(self, text: str, reason: Reason | None) -> Output:
        """Text together with the log probabilities of the tokens that it begins with, so that the two never part."""
        self._sent += len(text)
        logprobs = []
        while self._logprobs and self._logprobs[0][0] < self._sent:
            logprobs.append(self._logprobs.popleft()[1])
        return Output(text, tuple(logprobs), reason)
