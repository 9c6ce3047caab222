"""Which tokens an answer may go on with: grammars compiled for a model, and their state in each answer."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from llamafarm_universal.failure import RequestFailed, refused

if TYPE_CHECKING:
    from torch import Tensor

_KEPT = 64  # compiled grammars, the latest: clients ask for the same few again and again
_LIMITS = LLParserLimits(max_lexer_states=50_000, verbose_errors=False)  # a state takes one or two kB
_PLACE = re.compile(r"^(?:at )?\d+\(\d+\): |failed to compile JSON schema: ")
_QUOTED = re.compile(r"^ *\d+ \| .*\n *\^\s*\Z", re.MULTILINE)
_MOST_SAID = 500  # characters
_ONE_OF = "oneOf constraints are not supported"


class Constraint:
    """The state of a grammar in one answer. `mask` and `advance` take turns, beginning with `mask`.

    is_finished: whether the answer is complete and nothing can follow.
    """

    def __init__(self, matcher: LLMatcher, rows: int, threads: ThreadPoolExecutor) -> None:
        self._matcher = matcher  # of one thread at a time: that which computes the next mask, or the engine's
        self._words = -(-rows // 32)
        self._threads = threads
        self.is_finished = bool(matcher.is_stopped())
        self._mask: Future[Tensor] = threads.submit(self._compute)

    def mask(self) -> Tensor:
        """The tokens that may come next, end tokens among them where the answer may end.

        int32 [ceil(vocabulary / 32)] on the processor, one bit for each token, the lowest first; no bit where the
        grammar can go on no further. It is computed in a thread since the last token was taken.
        """
        return self._mask.result()

    def advance(self, token: int) -> None:
        """Take the token that was chosen, which `mask` has allowed and which is no end token. Raises RequestFailed."""
        if not self._matcher.consume_token(token):
            raise _stuck(self._matcher)
        self.is_finished = bool(self._matcher.is_stopped())
        if not self.is_finished:
            self._mask = self._threads.submit(self._compute)

    def _compute(self) -> Tensor:
        mask = torch.zeros(self._words, dtype=torch.int32)
        self._matcher.unsafe_compute_mask_ptr(mask.data_ptr(), mask.numel() * mask.element_size())
        return mask.zero_() if self._matcher.is_error() else mask


class Grammars:
    """Compiles grammars for one model, and keeps them. Called from several threads.

    tokenizer: the model's, as llguidance's. rows: how many logits the model gives.
    """

    def __init__(self, tokenizer: LLTokenizer, rows: int) -> None:
        self._tokenizer = tokenizer
        self._rows = rows
        self._lock = threading.Lock()
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()
        self._threads = ThreadPoolExecutor(2, "mask")

    def compile(self, grammar: str, field: str) -> Callable[[], Constraint]:
        """What makes the constraint of each answer. field: of the request, for errors. Raises RequestFailed."""
        matcher = self._known(grammar) or self._new(grammar, field)
        return lambda: Constraint(matcher.deep_copy(), self._rows, self._threads)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _known(self, grammar: str) -> LLMatcher | None:
        with self._lock:
            if grammar in self._compiled:
                self._compiled.move_to_end(grammar)
            return self._compiled.get(grammar)

    def _new(self, grammar: str, field: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=_LIMITS)
        if not matcher.is_error():
            matcher.compute_bitmask()
        if matcher.is_error():
            raise not_compiled(_error(matcher), field)
        with self._lock:
            self._compiled[grammar] = matcher
            while len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        return matcher


def not_compiled(error: str, field: str) -> RequestFailed:
    """What llguidance says against a grammar. field: of the request."""
    if _ONE_OF in error:
        return refused(
            f"`{field}` has a `oneOf` of which a value might fit two branches: that cannot be ruled out.",
            field,
            hint="Use `anyOf`, or give each branch a property with a `const` of its own.",
        )
    if error.startswith("NoExtension"):
        return refused(f"`{field}` asks for what no text can be.", field)
    return refused(f"`{field}` cannot be kept to: {_short(error)}", field)


def _stuck(matcher: LLMatcher) -> RequestFailed:
    """An answer cannot go on: the grammar needs more work than is done, or a text that the vocabulary has not."""
    return RequestFailed(
        "invalid_request",
        f"The answer cannot be held to its format any further ({_short(_error(matcher)) or 'no token fits'}).",
        hint="Simplify the format.",
    )


def _error(matcher: LLMatcher) -> str:
    return matcher.get_error().strip()


def _short(error: str) -> str:
    """What llguidance says, without where in the grammar, which nobody has written, and without its parser's state."""
    said = _PLACE.sub("", error.partition("<state>")[0])
    return _QUOTED.sub("", said).strip()[:_MOST_SAID]
