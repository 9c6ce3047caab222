"""The next tokens of many sequences, chosen at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sampling.bias import add_biases
from llamafarm_universal.host.engines.text.sampling.blocks import largest
from llamafarm_universal.host.engines.text.sampling.history import penalise
from llamafarm_universal.host.engines.text.sampling.masks import apply_masks
from llamafarm_universal.host.engines.text.sampling.narrow import Columns, draw_narrow, draw_open
from llamafarm_universal.host.engines.text.sampling.sampler import Kind, Sampler
from llamafarm_universal.host.engines.text.sampling.scores import LogProbabilities, Scores
from llamafarm_universal.host.engines.text.sampling.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Choice:
    """The next token of one sequence, and its log probabilities where they are asked for.

    failure: why there is no token; the others of the step have theirs.
    """

    token: int
    scores: Scores | None = None
    failure: RequestFailed | None = None


def sample(logits: Tensor, samplers: Sequence[Sampler], masks: Sequence[Tensor | None] | None = None) -> list[Choice]:
    """Choose the next token of each row; the samplers do not learn of it (`Sampler.add`).

    logits: float32 [rows, vocabulary], changed in place. masks: for each row which tokens a grammar allows, int32
    [ceil(vocabulary / 32)], or None. A row's choice depends on that row alone. Nothing waits for the device before the
    end, where the choices are fetched: once, and once more where the likeliest tokens were not enough for some top_p.
    """
    with torch.inference_mode():
        logs = LogProbabilities(logits, samplers)
        _adjust(logits, samplers, masks or ())
        table = _table(logits, samplers, logs, range(len(samplers)))
        if unfinished := [row for row, line in enumerate(table) if line[_MISSING]]:
            again = _table(logits, samplers, logs, unfinished, wide=True)
            for row, line in zip(unfinished, again, strict=True):
                table[row] = line
        return [_choice(logits, logs, row, line) for row, line in enumerate(table)]


def _adjust(logits: Tensor, samplers: Sequence[Sampler], masks: Sequence[Tensor | None]) -> None:
    """Penalties, then biases, then masks, each for those rows that have them."""
    if histories := [(row, sampler.history) for row, sampler in enumerate(samplers) if sampler.history]:
        penalise(logits, histories)
    if biases := [(row, sampler.bias) for row, sampler in enumerate(samplers) if sampler.bias]:
        add_biases(logits, biases)
    apply_masks(logits, masks)


_TOKEN, _SUM, _MISSING, _SCORES = range(4)


def _table(
    logits: Tensor, samplers: Sequence[Sampler], logs: LogProbabilities, rows: Sequence[int], *, wide: bool = False
) -> list[list[float]]:
    """For each of these rows its token, the sum of its shares, whether tokens are missing, and log probabilities.

    All of it is float32, since one piece is fetched faster than several; it holds whole numbers up to 2**24.
    """
    kinds: dict[Kind, list[int]] = {}
    for place, row in enumerate(rows):
        kinds.setdefault("wide" if wide else samplers[row].kind, []).append(place)
    chosen = torch.empty(len(rows), _SCORES, device=logits.device)
    for kind, places in kinds.items():
        group = [rows[place] for place in places]
        some = logits if len(group) == len(logits) else logits[to_device(group, logits.device)]
        drawn = _chosen(kind, some, [samplers[row] for row in group])
        chosen[to_device(places, logits.device)] = drawn
    table: list[list[float]] = torch.cat([chosen, logs.table(rows, chosen[:, _TOKEN].long())], 1).tolist()
    return table


def _chosen(kind: Kind, logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    if kind == "greedy":
        values, tokens = largest(logits)
        return torch.cat([tokens, values, torch.zeros_like(values)], 1)
    columns = Columns(samplers, logits.device)
    return draw_open(logits, columns) if kind == "open" else draw_narrow(logits, columns, wide=kind == "wide")


def _choice(logits: Tensor, logs: LogProbabilities, row: int, line: list[float]) -> Choice:
    if math.isfinite(line[_SUM]):
        return Choice(int(line[_TOKEN]), logs.read(row, line[_SCORES:]))
    return Choice(-1, failure=_no_token(logits[row]))


def _no_token(logits: Tensor) -> RequestFailed:
    """Why nothing can be chosen from the logits of a row."""
    if bool(logits.isneginf().all()):
        return RequestFailed(
            "internal",
            "No token may come next: the model, the request's biases and what its answer must look like rule all out.",
            hint="Look at `logit_bias` and at the format that is asked for.",
        )
    instead = "NaN" if bool(logits.isnan().any()) else "infinity"
    return RequestFailed(
        "internal",
        f"The model computed {instead} instead of numbers: an overflow, or damaged weights.",
        hint="Load it with dtype bf16 or fp32; fp16 is too narrow for some models.",
    )
