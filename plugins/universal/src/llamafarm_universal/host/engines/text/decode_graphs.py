"""Steps in which each text reads one token, recorded once and replayed.

On a GPU a step of a model launches some hundred kernels, and to launch them from Python takes longer than they run. A
CUDA graph launches all of them at once. It has a fixed shape, and reads and writes fixed memory: so texts are filled up
to a number of rows, and their blocks to a number that all have, out of a few sizes. What is filled up has one token, in
a block that nobody owns.

A size is recorded when it has been met a few times; what it gives is compared then to what the step gives otherwise.
Where a model cannot be recorded (it looks at numbers while it computes, as some mixtures of experts do), or gives
something else, its steps are launched from Python.
Source: PyTorch, CUDA graphs; vLLM records its decode in the same way.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.block_store import BlockStore
from llamafarm_universal.host.engines.text.kv_cache import blocks_for
from llamafarm_universal.host.engines.text.one_token_attention import OneTokenAttention, Product
from llamafarm_universal.host.engines.text.paged import Span
from llamafarm_universal.host.models.attention import attending
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Forward = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""The logits of a model: of tokens [1, tokens] at positions [1, tokens], for those at some places."""
Compute = Callable[[], "Tensor"]
Recorder = Callable[[Compute], Compute]
"""What computes into the same memory as a function that has been recorded, and returns its result again."""

_MET_BEFORE = 3
"""So many steps of a size are launched from Python before it is recorded: recording one takes as long as some."""
_MOST_SIZES = 64
_LEAST_BLOCKS = 8


def can_record(device: str) -> bool:
    """Whether steps can be recorded on a device."""
    return device == "cuda"


class DecodeGraphs:
    """Steps of one model in which each text reads one token.

    store: its last block is one that nobody owns. product: computes the attention. agree: whether two rows of logits
    are the same but for rounding.
    """

    def __init__(
        self,
        forward: Forward,
        store: BlockStore,
        device: str,
        product: Product,
        agree: Callable[[Tensor, Tensor], bool],
        record: Recorder | None = None,
    ) -> None:
        self._forward = forward
        self._store = store
        self._device = device
        self._product = product
        self._agree = agree
        self._record = record or recorder()
        self._met: Counter[tuple[int, int]] = Counter()
        self._recorded: dict[tuple[int, int], tuple[OneTokenAttention, Compute]] = {}
        self._outputs: dict[int, Tensor] = {}
        self._works = True

    def logits(self, ids: Sequence[int], spans: Sequence[Span]) -> Tensor:
        """The logits of texts that read one token each, float32 [texts, vocabulary]: the next step writes over them."""
        size = _size(spans)
        numbers = self._numbers(size, ids, spans)
        if size in self._recorded:
            attention, replay = self._recorded[size]
            attention.numbers.copy_(numbers)
            return replay()[: len(spans)]
        self._met[size] += 1
        attention = OneTokenAttention(self._store, *size, self._device, self._product)
        attention.numbers.copy_(numbers)
        compute = self._computation(attention)
        logits = compute()[: len(spans)]
        if not self._may_record(size):
            return logits
        logits = logits.clone()
        recorded = self._replay(compute, logits)
        if recorded is not None:
            self._recorded[size] = attention, recorded
        return logits

    def _computation(self, attention: OneTokenAttention) -> Compute:
        """All that it reads is the attention's or the model's, and lasts: a graph keeps nothing alive."""

        def compute() -> Tensor:
            with attending(attention):
                return self._kept(self._forward(attention.ids[None], attention.positions[None], attention.rows))

        return compute

    def _kept(self, logits: Tensor) -> Tensor:
        """Logits in memory that steps of as many rows share: what graphs allocate for themselves is never freed."""
        if len(logits) not in self._outputs:
            self._outputs[len(logits)] = torch.empty_like(logits, dtype=torch.float32)
        return self._outputs[len(logits)].copy_(logits)

    def _may_record(self, size: tuple[int, int]) -> bool:
        return self._works and self._met[size] > _MET_BEFORE and len(self._recorded) < _MOST_SIZES

    def _replay(self, compute: Compute, expected: Tensor) -> Compute | None:
        """A recorded step; None where it cannot be recorded, or gives something else than expected.

        Computing the step several times changes nothing: it writes the same numbers each time.
        """
        try:
            replay = self._record(compute)
            self._works = all(map(self._agree, replay(), expected))
        except Exception as error:  # noqa: BLE001 - models are launched from Python where they cannot be recorded
            log.info("Steps of the model cannot be recorded: %s: %s", type(error).__name__, error)
            self._works = False
        return replay if self._works else None

    def _numbers(self, size: tuple[int, int], ids: Sequence[int], spans: Sequence[Span]) -> Tensor:
        """What OneTokenAttention depends on."""
        rows, blocks = size
        filled = rows - len(spans)
        nobody = self._store.blocks - 1
        tables = [[*span.blocks[:blocks], *[nobody] * (blocks - len(span.blocks))] for span in spans]
        tables += [[nobody] * blocks] * filled
        positions = [*(span.past for span in spans), *[0] * filled]
        numbers = [*ids, *[0] * filled, *positions, *(block for table in tables for block in table)]
        return to_device(numbers, self._device)


def _size(spans: Sequence[Span]) -> tuple[int, int]:
    """Rows and blocks that hold texts: powers of two."""
    blocks = blocks_for(max(span.length for span in spans))
    return _power(len(spans)), max(_LEAST_BLOCKS, _power(blocks))


def _power(number: int) -> int:
    return 1 << (number - 1).bit_length()


def recorder() -> Recorder:
    """Records CUDA graphs. All share one piece of memory, since no two run at the same time."""
    pool = torch.cuda.graph_pool_handle()

    def record(compute: Compute) -> Compute:
        """Other threads may use the device meanwhile: one that loads a model does."""
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            compute()  # libraries choose and allocate what they need when they are first called
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            output = compute()

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay

    return record
