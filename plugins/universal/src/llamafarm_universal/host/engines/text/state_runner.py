"""Runs models forward that remember a text in a state: Mamba and its kin, and hybrids of states and attention.

The states of texts that read one token are stacked, and one forward of the model reads them all; prompts are read one
after the other. The keys and values of a hybrid's attention lie in the blocks of the cache, as those of other models
do. All else is the model's own forward over transformers' own states, so that each model is tried when it is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.block_store import BlockStore, LayerShape, Shapes
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.pageable import NotPaged, attention_restored_on_failure, check_positions
from llamafarm_universal.host.engines.text.paged import PagedAttention, spans_of
from llamafarm_universal.host.engines.text.single_runner import cache_name_of
from llamafarm_universal.host.engines.text.states import State, StateCaches
from llamafarm_universal.host.models.attention import Attention, attending, leave_attention, no_mask

if TYPE_CHECKING:
    from torch import Tensor

_LENGTHS = (trial.LENGTH, 19)
_IN_PIECES = ((10, 1), (1, 8), (9, 7), (1, 1), (1, 1), (2, 1))
"""The last piece is of two tokens: a model that forgets what stands before them has forgotten almost all."""
_AT_ONCE = ((20, 0), (1, 16), (1, 1), (1, 1), (1, 1))


class StateRunner:
    """module: a transformers causal language model. Raises NotPaged for one that cannot be run so, and leaves it as it
    was.

    token_bytes: what the cache takes for each token; 0 without attention. text_bytes: what each text takes beside it.
    reads_in_chunks: whether a prompt may be read in several steps: some models forget what they have read when more
    than one token follows (Mamba and its kin among them).
    """

    shares = False
    reads_together = True
    takes_guesses = False
    mixes_adapters = False

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        self._cache_name = cache_name_of(module)
        self._caches = StateCaches(module.config)
        accepted = inspect.signature(module.forward).parameters
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self._takes_positions = "position_ids" in accepted
        if self._caches.attends and not self._takes_positions:
            raise NotPaged("the model takes no positions")
        own = trial.Trial(module, device, _LENGTHS)
        with attention_restored_on_failure(module):
            if self._caches.attends and not leave_attention(module, ("sdpa", "eager")):
                raise NotPaged("the model does not leave its attention to others")
            self._shapes = self._learn_shapes()
            self.reads_in_chunks = self._may_read_in_pieces(own)

    @property
    def token_bytes(self) -> int:
        return sum(shape.token_bytes for shape in self._shapes.values())

    def allocate(self, blocks: int) -> None:
        """Make room for so many blocks of keys and values."""
        self._store = BlockStore(self._shapes, blocks, self._device)

    def wipe(self, context: Context) -> None:
        """Forget what the blocks of a text hold. Its state is used by no other text."""
        if context.table is not None:
            self._store.wipe(context.table.blocks)

    def run(self, readings: Sequence[Reading]) -> Tensor:
        """Read them. Returns the logits of those that complete their text, in order: float32 [texts, vocabulary].

        Where a forward fails, its texts and those that were read before it have no states any more: they are read from
        their beginnings the next time. Prompts come first, since they are what fails: answers that go on keep theirs.
        """
        singles = [reading for reading in readings if _is_single(reading)]
        singles.sort(key=lambda reading: reading.context.stored)
        groups = [[reading] for reading in readings if not _is_single(reading)]
        groups += [singles] if singles else []
        rows: dict[Context, Tensor] = {}
        try:
            for group in groups:
                rows.update(zip([reading.context for reading in group], self._read(group), strict=True))
        except BaseException:
            for context in rows:
                context.state = None
            raise
        complete = [rows[reading.context] for reading in readings if reading.completes]
        return torch.stack(complete) if complete else torch.empty(0, 0)

    def _read(self, readings: Sequence[Reading]) -> Tensor:
        """One forward, for one text or for several of one token. Returns the logits of the last token of each."""
        contexts = [reading.context for reading in readings]
        cache = self._caches.stacked([context.state for context in contexts])
        if contexts[0].state is None:
            readings = [_from_the_beginning(reading) for reading in readings]
        for context in contexts:
            context.state = None  # what a forward leaves behind that fails is half read
        logits = self._forward(readings, cache)
        for row, context in enumerate(contexts):
            context.state = State(cache, row, len(contexts))
        return logits

    def _forward(self, readings: Sequence[Reading], cache: Any) -> Tensor:
        attends = self._caches.attends
        attention = PagedAttention(self._store, spans_of(readings), self._device) if attends else None
        ids = [reading.tokens for reading in readings]
        places = [list(range(reading.context.stored, reading.context.stored + reading.count)) for reading in readings]
        return self._logits(ids, places, cache, attention)

    def _logits(self, ids: list[list[int]], places: list[list[int]], cache: Any, attention: Attention | None) -> Tensor:
        """[texts, vocabulary], of each one's last token. ids, places: as many of each text."""
        rows = torch.tensor(ids, device=self._device)
        options: dict[str, Any] = {**self._options, self._cache_name: cache}
        if self._takes_positions:
            options["position_ids"] = torch.tensor(places, device=self._device)
        if attention is not None:
            options["attention_mask"] = no_mask(rows)
        with torch.inference_mode(), attending(_Columns(attention)) if attention else nullcontext():
            logits: Tensor = self._module(input_ids=rows, use_cache=True, return_dict=True, **options).logits
            return logits[:, -1].float()

    def _learn_shapes(self) -> Mapping[int, LayerShape]:
        """And what the state of a text takes."""
        shapes, cache = Shapes(), self._caches.stacked([None])
        self._logits([trial.tokens(self._module)[:2]], [[0, 1]], cache, shapes if self._caches.attends else None)
        # Twice: while texts are stacked anew, both stacks are there.
        self.text_bytes = 2 * State(cache, 0, 1).nbytes
        if shapes.by_layer:
            check_positions(self._module.config.get_text_config())
        if any(layer in shapes.by_layer and not shapes.windows[layer] for layer in self._caches.windows):
            raise NotPaged("the model has windows of which its attention knows nothing")
        return shapes.by_layer

    def _may_read_in_pieces(self, own: trial.Trial) -> bool:
        """Two texts, read beside each other, must give what each gives by itself. Raises NotPaged where they do not."""
        for steps in (_IN_PIECES, _AT_ONCE):
            if own.passes(self, steps):
                return steps is _IN_PIECES
        raise NotPaged("the model gives something else when texts are read together")


class _Columns:
    """The attention of a step of several texts of one token, each of which has a row of its own."""

    def __init__(self, attention: Attention) -> None:
        self._attention = attention

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        if query.shape[0] == 1:
            return self._attention.attend(module, query, key, value, options)
        query, key, value = (tensor.transpose(0, 2) for tensor in (query, key, value))  # behind one another
        return self._attention.attend(module, query, key, value, options).transpose(0, 1)


def _is_single(reading: Reading) -> bool:
    return reading.count == 1 and reading.context.state is not None


def _from_the_beginning(reading: Reading) -> Reading:
    """Of a text without a state: all that has been read of it is read again."""
    context = reading.context
    end = context.stored + reading.count
    return Reading(Context(context.tokens[:end], table=context.table), end)
