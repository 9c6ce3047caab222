"""Guesses of a draft model: a small one that reads the same tokens, and says what it would answer itself.

It follows the answer that runs alone, in a cache of its own: what it has drafted and did not come is cut off, and what
came instead is read. Where several answers run it rests, and catches up when one is alone: one piece of a prompt in a
step at most. Its tokens are drawn with the very numbers that the model's own are going to be drawn with, so that the
two agree where they are sure of the same.
Source: speculative decoding (Y. Leviathan and others, 2023); draft models of vLLM, assisted generation of transformers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence as Ordered
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamafarm_universal.failure import RequestFailed, about
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, BlockTable, KVCache
from llamafarm_universal.host.engines.text.limits import token_limit
from llamafarm_universal.host.engines.text.pageable import NotPaged
from llamafarm_universal.host.engines.text.reading_cost import ReadingCost
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.text.sampling import sample
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.models.loader import Weights, read_weights, ready_weights
from llamafarm_universal.messages.plan import LoadPlan

if TYPE_CHECKING:
    from torch import Tensor

MOST = 7
"""Tokens that are drafted at once: with the one before them they are as many rows as attention is filled up to."""
_FIRST = 4  # so many are drafted at first


@dataclass(frozen=True)
class Draft:
    """A draft model."""

    weights: Weights
    runner: FlatRunner


class Drafter:
    """target: the model whose answers are guessed; runner: of that one. chunk: tokens of a prompt read at once.

    Raises RequestFailed where the draft model has another vocabulary, or where the other cannot take back what it has
    read.
    """

    method = "draft_model"

    def __init__(self, draft: Draft, target: Weights, runner: Runner, chunk: int) -> None:
        weights = draft.weights
        if not runner.takes_guesses:
            raise _refused(
                weights.plan, f"`{target.plan.ref.id}` cannot take back what it has read, so nothing is guessed."
            )
        _check_vocabulary(weights, target)
        self._runner = draft.runner
        self._chunk = chunk
        self._cost = ReadingCost.estimated(weights.plan.config, weights.parameters)
        self._known, self._sayable = _rows(weights), min(_rows(weights), _rows(target))
        self._longest = token_limit(weights.module) or sys.maxsize
        self._length = _FIRST
        self._followed: _Followed | None = None

    @property
    def token_bytes(self) -> int:
        """What its cache takes for each token."""
        return self._runner.token_bytes

    def allocate(self, blocks: int) -> None:
        """Make room for so many blocks."""
        self._runner.allocate(blocks)
        self._cache = KVCache(blocks)

    def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """See Guesser."""
        followed = self._follow(sequence.context)
        text, most = followed.text, min(most, self._length)
        if not self._can_read(followed, len(text.tokens) + most):
            return ()
        logits = self._read(text, min(text.unread, self._cost.affordable(self._chunk, text.stored)))
        if not text.unread:
            followed.drafted = self._draft(text, sequence, most, logits)
        return followed.drafted

    def _draft(self, text: Context, sequence: Sequence, most: int, logits: Tensor) -> tuple[int, ...]:
        """What would come, token by token. The last one is not read: if it comes, it is with those behind it."""
        drafted: list[int] = []
        while True:
            [choice] = sample(logits[:, : self._sayable], [sequence.sampler.ahead(len(drafted))])
            if choice.failure:
                raise choice.failure
            drafted.append(choice.token)
            if len(drafted) == most or choice.token in sequence.sampler.settings.end_tokens:
                return tuple(drafted)
            text.tokens.append(choice.token)
            logits = self._read(text, 1)

    def _read(self, text: Context, count: int) -> Tensor:
        logits = self._runner.run([Reading(text, count)])
        text.stored += count
        return logits

    def _follow(self, context: Context) -> _Followed:
        """Bring its own text to where an answer is."""
        followed = self._followed
        if followed is None or followed.context is not context:
            if followed is not None:
                self._cache.close(followed.table)
            table = self._cache.open(context.tokens, context.salt)
            followed = self._followed = _Followed.from_the_beginning(context, table)
        self._learn(followed)
        followed.catch_up(self._known)
        self._cache.stored(followed.table, followed.text.tokens, followed.text.stored)
        return followed

    def _learn(self, followed: _Followed) -> None:
        """Draft more the next time where all was right, and less where it was not: so it is half of the times."""
        if followed.drafted:
            right = _agreeing(followed.drafted, followed.came) == len(followed.drafted)
            self._length = min(MOST, max(1, self._length + (1 if right else -1)))
            followed.drafted = ()

    def _can_read(self, followed: _Followed, tokens: int) -> bool:
        return followed.is_known and tokens <= self._longest and self._cache.grow(followed.table, tokens)


@dataclass(eq=False)
class _Followed:
    """An answer as the drafter reads it. context: the model's own. text: the drafter's, which ends with what it has
    drafted and read. agreed: so many tokens of both are known to be the same. drafted: the last guess. is_known:
    whether the draft model knows all tokens.
    """

    context: Context
    text: Context
    table: BlockTable
    agreed: int = 0
    drafted: tuple[int, ...] = ()
    is_known: bool = True

    @classmethod
    def from_the_beginning(cls, context: Context, table: BlockTable) -> _Followed:
        """table: has the blocks that were there already."""
        stored = len(table.blocks) * BLOCK_TOKENS
        return cls(context, Context(list(context.tokens), stored=stored, table=table), table)

    @property
    def came(self) -> list[int]:
        """What is new in the answer."""
        return self.context.tokens[self.agreed :]

    def catch_up(self, known: int) -> None:
        """Replace what was drafted by what came. known: how many token ids there are."""
        text, came = self.text, self.came
        right = self.agreed + _agreeing(text.tokens[self.agreed :], came)
        text.tokens[self.agreed :] = came
        text.stored = min(text.stored, right, len(text.tokens) - 1)  # the last one is read for what follows
        self.agreed = len(text.tokens)
        self.is_known = self.is_known and max(came, default=0) < known


def load_draft(plan: LoadPlan) -> Draft | None:
    """Read the draft model of a model, where it has one. Raises RequestFailed, also where it cannot be one."""
    from transformers import AutoModelForCausalLM

    if plan.draft is None:
        return None
    with about("draft_model"):
        module, tokenizer = read_weights(plan.draft, AutoModelForCausalLM)
        try:
            runner = FlatRunner(module, plan.draft.device)  # tried before it gets fewer bits, as the model itself
        except NotPaged as reason:
            raise _refused(plan.draft, f"{reason}.") from reason
        return Draft(ready_weights(plan.draft, module, tokenizer), runner)


def _agreeing(some: Ordered[int], others: Ordered[int]) -> int:
    """How many tokens two texts begin with alike."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(some), len(others)))


def _rows(weights: Weights) -> int:
    """How many token ids a model knows; some of them may be padding that no tokenizer has."""
    return int(weights.module.get_input_embeddings().weight.shape[0])


def _check_vocabulary(draft: Weights, target: Weights) -> None:
    """Raises RequestFailed where the two tell their tokens otherwise.

    Tokens that were added, such as the marks of a chat, may differ: a model and its draft were tuned by different hands
    at times, and a wrong guess does no harm.
    """
    own, other = _vocabulary(draft), _vocabulary(target)
    if own == other:
        return
    token = min(token for token in own.keys() | other.keys() if own.get(token) != other.get(token))
    raise _refused(
        draft.plan,
        f"it has another vocabulary than `{target.plan.ref.id}`: {len(own):,} tokens and {len(other):,}, of which "
        f"number {token} is {_named(own, token)} here and {_named(other, token)} there.",
    )


def _vocabulary(weights: Weights) -> dict[int, str]:
    added = weights.tokenizer.added_tokens_decoder
    return {token: text for text, token in weights.tokenizer.get_vocab().items() if token not in added}


def _named(vocabulary: dict[int, str], token: int) -> str:
    return f"`{vocabulary[token]}`" if token in vocabulary else "none"


def _refused(plan: LoadPlan, why: str) -> RequestFailed:
    return RequestFailed(
        "not_supported",
        f"`{plan.ref.id}` cannot draft: {why}",
        hint="Name a smaller model of the same family, or leave `draft_model` out.",
        param="draft_model",
    )
