"""Runs the model forward once for all texts of a step: their tokens lie behind one another, as a single row.

That is the model's own forward, as transformers has it; only attention is ours, over the blocks of the cache. Models
that look at other tokens outside of attention cannot be run so: each is tried when it is loaded.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.attentions import Attentions, attentions_of
from llamafarm_universal.host.engines.text.block_store import BlockStore, LayerShape, Shapes
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.decode_graphs import DecodeGraphs, can_record
from llamafarm_universal.host.engines.text.multimodal.reading import (
    VectorsAt,
    added,
    embedded,
    positions_of,
    vectors_in,
)
from llamafarm_universal.host.engines.text.pageable import (
    NotPaged,
    attention_restored_on_failure,
    check_positions,
    longest_short_text,
)
from llamafarm_universal.host.engines.text.paged import spans_of
from llamafarm_universal.host.models.attention import attending, leave_attention, no_mask
from llamafarm_universal.host.models.lora import applied
from llamafarm_universal.host.models.rounding import difference
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

_IN_PIECES = ((10, 1), (1, 9), (12, 13), (1, 1))


class FlatRunner:
    """module: a transformers causal language model. trials: what it has to pass beside reading texts. Raises NotPaged
    for one that cannot be run so, and leaves it as it was.

    token_bytes: what the cache takes for each token. The rest: as of Runner.

    Where a model turns its keys otherwise once a text is long (Phi-3-128k), short texts and long ones are read apart,
    and one that becomes long is read anew, as transformers' `generate` does. Keys of such a model are nobody else's.
    """

    reads_together = True
    mixes_adapters = True
    text_bytes = 0
    reads_in_chunks = True

    def __init__(self, module: Any, device: str, *trials: trial.Tried) -> None:
        self._module = module
        self._device = device
        accepted = inspect.signature(module.forward).parameters
        self._keeps_logits = "logits_to_keep" in accepted
        self._longest_short = longest_short_text(module.config.get_text_config())
        self.shares = self.takes_guesses = self._longest_short is None
        if "position_ids" not in accepted:
            raise NotPaged("the model takes no positions")
        if trials and self._longest_short is not None:
            raise NotPaged(
                "what stands beside a text is forgotten once it is read, and the model reads long texts anew"
            )
        own = trial.Trial(module, device)
        self._trials = trials
        with attention_restored_on_failure(module):
            if not leave_attention(module, ("sdpa", "eager")):
                raise NotPaged("the model does not leave its attention to others")
            self._shapes = self._learn_shapes()
            if not any(self._passes(own, attentions) for attentions in attentions_of(device)):
                raise NotPaged("the model gives something else when texts are read together")
        self._tolerance = own.tolerance if can_record(device) else 0.0

    def _passes(self, own: trial.Trial, attentions: Attentions) -> bool:
        """Whether the model gives the same with these."""
        self._attentions = attentions
        try:
            if own.passes(self, _IN_PIECES) and all(tried.passes_by(self) for tried in self._trials):
                return True
            log.info("%s gives something else with %s", type(self._module).__name__, attentions.names)
        except Exception as error:  # noqa: BLE001 - what a GPU cannot compute is computed in another way
            log.info("%s does not run with %s: %s", type(self._module).__name__, attentions.names, error)
        return False

    @property
    def token_bytes(self) -> int:
        return sum(shape.token_bytes for shape in self._shapes.values())

    def allocate(self, blocks: int) -> None:
        """Make room for so many blocks, and for one more where steps are recorded.

        Not where short texts and long ones are computed differently: both would be steps of one size.
        """
        records = can_record(self._device) and self._longest_short is None
        self._store = BlockStore(self._shapes, blocks + records, self._device)
        self._decode = (
            DecodeGraphs(self._forward, self._store, self._device, self._attentions.of_one_token, self._agree)
            if records
            else None
        )

    def wipe(self, context: Context) -> None:
        """Forget what the blocks of a text hold."""
        if context.table is not None:
            self._store.wipe(context.table.blocks)

    def run(self, readings: Sequence[Reading]) -> Tensor:
        """Read them. Returns the logits of those that complete their text, in order: float32 [rows, vocabulary].

        A text has a row for its own last token, and one for each that is guessed.
        """
        if self._longest_short is None:
            return self._read(readings)
        rows: dict[Context, Tensor] = {}
        for is_long in (False, True):
            group = [each for each in readings if (_end(each) > self._longest_short) is is_long]
            logits = iter(self._read([self._anew_where_it_becomes_long(each) for each in group]) if group else ())
            rows.update((each.context, next(logits)) for each in group if each.completes)
        complete = [rows[each.context] for each in readings if each.completes]
        return torch.stack(complete) if complete else torch.empty(0, 0)

    def _anew_where_it_becomes_long(self, reading: Reading) -> Reading:
        context, end = reading.context, _end(reading)
        if not context.stored or not context.stored <= (self._longest_short or 0) < end:
            return reading
        return Reading(Context(context.tokens, table=context.table, adapter=context.adapter), end)

    def _read(self, readings: Sequence[Reading]) -> Tensor:
        order = sorted(range(len(readings)), key=lambda at: (len(readings[at].tokens) > 1, readings[at].context.stored))
        ordered = [readings[at] for at in order]
        spans, ends = spans_of(ordered), {}
        for at, span in zip(order, spans, strict=True):
            ends[at] = span.begin + span.count
        complete = [(ends[at], reading) for at, reading in enumerate(readings) if reading.completes]
        rows = [row for end, reading in complete for row in range(end - 1 - len(reading.guess), end)]
        ids = [token for reading in ordered for token in reading.tokens]
        mix = [(reading.context.adapter, span.count) for reading, span in zip(ordered, spans, strict=True)]
        is_plain = not any(reading.context.media or reading.context.adapter for reading in ordered)
        with torch.inference_mode(), applied(mix, self._device):
            if self._decode and spans[-1].count == 1 and is_plain:
                return self._decode.logits(ids, spans).index_select(0, to_device(rows, self._device))
            with attending(self._attentions.of_texts(self._store, spans, self._device)):
                return self._logits(ids, positions_of(ordered), rows, vectors_in(ordered))

    def _logits(self, ids: list[int], positions: Any, rows: list[int], vectors: Sequence[VectorsAt] = ()) -> Tensor:
        """vectors: what stands in the places of some tokens."""
        row, places, kept = (to_device(each, self._device) for each in ([ids], positions, rows or [0]))
        return self._forward(row, places, kept, vectors)[: len(rows)].float()

    def _forward(self, ids: Tensor, positions: Tensor, kept: Tensor, vectors: Sequence[VectorsAt] = ()) -> Tensor:
        """The logits of tokens [1, tokens] at positions [1, tokens], at some of these: [kept, vocabulary].

        positions: [axes, 1, tokens] where a model has more than one.
        """
        text = {"inputs_embeds": embedded(self._module, ids, vectors)} if vectors else {"input_ids": ids}
        with added(self._module, ids, vectors):
            result = self._module(
                **text,
                position_ids=positions,
                attention_mask=no_mask(ids),
                use_cache=False,
                return_dict=True,
                **({"logits_to_keep": kept} if self._keeps_logits else {}),
            )
        logits: Tensor = result.logits[0] if self._keeps_logits else result.logits[0, kept]
        return logits

    def _agree(self, logits: Tensor, wanted: Tensor) -> bool:
        return difference(logits, wanted) <= self._tolerance

    def _learn_shapes(self) -> Mapping[int, LayerShape]:
        shapes = Shapes()
        with torch.inference_mode(), attending(shapes):
            self._logits(trial.tokens(self._module)[:2], [[0, 1]], [1])
        if not shapes.by_layer:
            raise NotPaged("the model has no attention")
        _check_windows(self._module.config.get_text_config(), shapes.windows)
        return shapes.by_layer


def _end(reading: Reading) -> int:
    """How many tokens of its text have been read with it."""
    return reading.context.stored + reading.count


def _check_windows(config: Any, windows: Mapping[int, int | None]) -> None:
    """Layers that look at a part of the text only must say so to their attention: a short trial would not show it.

    Raises NotPaged where they keep it to the mask, which is not looked at here.
    """
    check_positions(config, "longrope")
    kinds = getattr(config, "layer_types", None) or []
    for layer, window in windows.items():
        kind = kinds[layer] if layer < len(kinds) else "full_attention"
        if kind not in ("full_attention", "sliding_attention") or (kind == "sliding_attention" and window is None):
            raise NotPaged(f"the model has layers of the kind {kind}")
    has_windows = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    if has_windows and not kinds and not any(windows.values()):
        raise NotPaged("the model has windows of which its attention knows nothing")
