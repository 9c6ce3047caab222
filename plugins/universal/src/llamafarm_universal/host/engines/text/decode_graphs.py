"""Steps in which each text reads one token, recorded once and replayed.

On a GPU a step of a model launches some hundred kernels, and to launch them from Python takes longer than they run. A
CUDA graph launches all of them at once. It has a fixed shape, and reads and writes fixed memory: so texts are filled up
to a number of rows, and their blocks to a number that all have, out of a few sizes. What is filled up has one token, in
a block that nobody owns.

A size is recorded when it has been met a few times; what it gives is compared then to what the step gives otherwise.
Where a model cannot be recorded (it looks at numbers while it computes, as some mixtures of experts do), or gives
something else, its steps are launched from Python as before.
Source: PyTorch, CUDA graphs; vLLM records its decode in the same way.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, blocks_for
from llamafarm_universal.host.engines.text.paged import BlockStore, Span, check_options, mask_of, product_of
from llamafarm_universal.host.models.attention import attending

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Forward = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""The logits of a model: of tokens [1, tokens] at positions [1, tokens], for those at some places."""
Recorder = Callable[[Callable[[], "Tensor"]], Callable[[], "Tensor"]]
"""What computes into the same memory as a function that has been recorded, and returns its result again."""

_MET_BEFORE = 3
"""So many steps of a size are launched from Python before it is recorded: recording one takes as long as some."""
_MOST_SIZES = 64
_LEAST_BLOCKS = 8


def can_record(device: str) -> bool:
    """Whether steps can be recorded on a device."""
    return device == "cuda"


class OneTokenAttention:
    """Attention of texts that read one token each, all of them over as many blocks.

    numbers: int64 [rows * (3 + blocks)]: the tokens, their positions, their slots, and the blocks of each text. All
    that a step depends on is read there when it is computed, so that the same computation serves the next step.
    """

    def __init__(self, store: BlockStore, rows: int, blocks: int, device: str) -> None:
        self.numbers = torch.zeros(rows * (3 + blocks), dtype=torch.long, device=device)
        self.ids, self.positions, self._slots, self._blocks = self.numbers.split([rows, rows, rows, rows * blocks])
        self._store = store
        self._rows = rows
        self._places = torch.arange(blocks * BLOCK_TOKENS, device=device)

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        check_options(options)
        keys, values = self._store.write(module.layer_idx, self._slots, key, value)
        own = query[0].transpose(0, 1)[:, :, None]  # [rows, heads, 1, size]
        distance = self.positions[:, None] - self._places
        mask = mask_of(distance, options.get("sliding_window"), query.dtype)[:, None, None]
        return product_of(own, self._of(keys), self._of(values), mask, options)[None, :, :, 0]

    def _of(self, cache: Tensor) -> Tensor:
        """[rows, heads, tokens, size]"""
        blocks = cache.index_select(0, self._blocks)
        return blocks.view(self._rows, -1, *cache.shape[2:]).transpose(1, 2)


class DecodeGraphs:
    """The recorded steps of one model.

    store: its last block is one that nobody owns. agree: whether two rows of logits are the same but for rounding.
    """

    def __init__(
        self,
        forward: Forward,
        store: BlockStore,
        device: str,
        agree: Callable[[Tensor, Tensor], bool],
        record: Recorder | None = None,
    ) -> None:
        self._forward = forward
        self._store = store
        self._device = device
        self._agree = agree
        self._record = record or recorder()
        self._met: Counter[tuple[int, int]] = Counter()
        self._recorded: dict[tuple[int, int], tuple[OneTokenAttention, Callable[[], Tensor]]] = {}
        self._works = True

    def logits(self, ids: Sequence[int], spans: Sequence[Span]) -> Tensor | None:
        """The logits of texts that read one token each, float32 [texts, vocabulary]; None: this step is none of these.

        It must be computed otherwise then.
        """
        size = _size(spans)
        self._met[size] += 1
        if size not in self._recorded and not (self._may_record(size) and self._records(size, ids, spans)):
            return None
        attention, replay = self._recorded[size]
        attention.numbers.copy_(self._numbers(size, ids, spans))
        return replay()[: len(spans)].clone()

    def _may_record(self, size: tuple[int, int]) -> bool:
        return self._works and self._met[size] > _MET_BEFORE and len(self._recorded) < _MOST_SIZES

    def _records(self, size: tuple[int, int], ids: Sequence[int], spans: Sequence[Span]) -> bool:
        """Record a size. Computing the step several times changes nothing: it writes the same numbers each time."""
        attention = OneTokenAttention(self._store, *size, self._device)
        numbers = self._numbers(size, ids, spans)
        attention.numbers.copy_(numbers)
        rows = torch.arange(size[0], device=self._device)

        def compute() -> Tensor:
            with attending(attention):
                return self._forward(attention.ids[None], attention.positions[None], rows)

        try:
            expected = compute()[: len(spans)].clone()
            replay = self._record(compute)
            attention.numbers.copy_(numbers)
            pairs = zip(replay(), expected, strict=False)
            self._works = all(self._agree(replayed, row) for replayed, row in pairs)
        except Exception as error:  # noqa: BLE001 - models are launched from Python where they cannot be recorded
            log.info("Steps of the model cannot be recorded: %s: %s", type(error).__name__, error)
            self._works = False
        if self._works:
            self._recorded[size] = attention, replay
        return self._works

    def _numbers(self, size: tuple[int, int], ids: Sequence[int], spans: Sequence[Span]) -> Tensor:
        """What OneTokenAttention depends on."""
        rows, blocks = size
        filled = rows - len(spans)
        nobody = self._store.blocks - 1
        tables = [[*span.blocks[:blocks], *[nobody] * (blocks - len(span.blocks))] for span in spans]
        tables += [[nobody] * blocks] * filled
        slots = [*(span.slots[0] for span in spans), *[nobody * BLOCK_TOKENS] * filled]
        positions = [*(span.past for span in spans), *[0] * filled]
        numbers = [*ids, *[0] * filled, *positions, *slots, *(block for table in tables for block in table)]
        return torch.tensor(numbers)


def _size(spans: Sequence[Span]) -> tuple[int, int]:
    """Rows and blocks that hold texts: powers of two."""
    blocks = blocks_for(max(span.length for span in spans))
    return _power(len(spans)), max(_LEAST_BLOCKS, _power(blocks))


def _power(number: int) -> int:
    return 1 << (number - 1).bit_length()


def recorder() -> Recorder:
    """Records CUDA graphs. All share one piece of memory, since no two run at the same time."""
    pool = torch.cuda.graph_pool_handle()

    def record(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
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
