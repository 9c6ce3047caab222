"""The next tokens of many sequences, chosen at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sampling import draws
from llamafarm_universal.host.engines.text.sampling.bias import add_biases
from llamafarm_universal.host.engines.text.sampling.columns import Columns
from llamafarm_universal.host.engines.text.sampling.history import penalise
from llamafarm_universal.host.engines.text.sampling.masks import apply_masks
from llamafarm_universal.host.engines.text.sampling.sampler import MOST_CANDIDATES, Kind, Sampler
from llamafarm_universal.host.engines.text.sampling.scores import LogProbabilities, Scores
from llamafarm_universal.host.engines.text.sampling.transfer import at_once

if TYPE_CHECKING:
    from torch import Tensor

_TOKEN, _PEAK, _MISSING, _SCORES = range(4)


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
    [ceil(vocabulary / 32)], or None. A row's choice depends on that row alone. The device is waited for at the end,
    where the choices are fetched, and once more where a top_p leaves more tokens than were looked at first.
    """
    with torch.inference_mode():
        apply_masks(logits, masks or ())
        logs = LogProbabilities(logits, samplers)
        _adjust(logits, samplers)
        kinds = {row: sampler.kind for row, sampler in enumerate(samplers)}
        lines = _lines(logits, kinds, samplers, logs)
        if many := {row: samplers[row].kind_of_many for row, line in lines.items() if line[_MISSING]}:
            lines |= _lines(logits, many, samplers, logs)
        return [_choice(logs, row, lines[row]) for row in range(len(samplers))]


def _adjust(logits: Tensor, samplers: Sequence[Sampler]) -> None:
    """Penalties, then biases, each for those rows that have them."""
    if histories := [(row, sampler.history) for row, sampler in enumerate(samplers) if sampler.history]:
        penalise(logits, histories)
    if biases := [(row, sampler.bias) for row, sampler in enumerate(samplers) if sampler.bias]:
        add_biases(logits, biases)


def _lines(
    logits: Tensor, kinds: Mapping[int, Kind], samplers: Sequence[Sampler], logs: LogProbabilities
) -> dict[int, list[float]]:
    """What `draws` says of each of these rows, and its log probabilities.

    All of it is float32, since one piece is fetched faster than several; it holds whole numbers up to 2**24.
    """
    if not kinds:
        return {}
    drawn, order = [], []
    for kind in dict.fromkeys(kinds.values()):
        for rows, some in at_once(logits, [row for row in kinds if kinds[row] == kind]):
            drawn.append(_drawn(kind, some, [samplers[row] for row in rows]))
            order += rows
    table = torch.cat(drawn)
    table = torch.cat([table, logs.table(order, table[:, _TOKEN].long())], 1)
    return dict(zip(order, table.tolist(), strict=True))


def _drawn(kind: Kind, logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    if kind == "greedy":
        return draws.take_likeliest(logits)
    columns = Columns(samplers, logits.device)
    match kind:
        case "open":
            return draws.draw_from_all(logits, columns)
        case "few":
            return draws.draw_in_order(logits, columns, columns.candidates(MOST_CANDIDATES))
        case "trial":
            return draws.draw_by_trial(logits, columns)
        case "typical":
            return draws.draw_typical(logits, columns)
        case "ordered":
            return draws.draw_in_order(logits, columns, columns.candidates(logits.shape[1]))


def _choice(logs: LogProbabilities, row: int, line: list[float]) -> Choice:
    if math.isfinite(line[_PEAK]):
        return Choice(int(line[_TOKEN]), logs.read(row, line[_SCORES:]))
    return Choice(-1, failure=_no_token(line[_PEAK]))


def _no_token(peak: float) -> RequestFailed:
    """Why nothing can be chosen from logits of which this is the largest."""
    if peak == -math.inf:
        return RequestFailed(
            "internal",
            "No token may come next: the model, the request's biases and what its answer must look like rule all out.",
            hint="Look at `logit_bias` and at the format that is asked for.",
        )
    return RequestFailed(
        "internal",
        f"The model computed {'NaN' if math.isnan(peak) else 'infinity'} instead of numbers: an overflow, or damaged "
        "weights.",
        hint="Load it with dtype bf16 or fp32; fp16 is too narrow for some models.",
    )
