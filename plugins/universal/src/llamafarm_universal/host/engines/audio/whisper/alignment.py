"""When each token of a text is spoken: what the decoder looks at as it writes it.

Source: openai-whisper's `timing.py`, as transformers' `_extract_token_timestamps` has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def times_of(
    module: Any, states: Tensor, begin: list[int], tokens: list[int], positions: int
) -> list[tuple[float, float]]:
    """When each of `tokens` begins and ends, in steps of time.

    states: [1, positions, width] of the encoder. begin: with which tokens the text begins. positions: of the encoder,
    in which there is sound.
    """
    if not tokens:
        return []
    attention = _attention(module, states, [*begin, *tokens])[:, len(begin) :, :positions]
    deviation, mean = torch.std_mean(attention, dim=-2, keepdim=True, correction=0)
    smooth = _median((attention - mean) / deviation, int(module.config.median_filter_width)).mean(0)
    ends = warped(-smooth.double().cpu().numpy())
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _attention(module: Any, states: Tensor, ids: list[int]) -> Tensor:
    """[heads, ids, positions]: what the heads look at that know where in the sound the decoder is."""
    config = module.model.decoder.config
    before = config._attn_implementation
    config._attn_implementation = "eager"  # the others do not tell what they look at
    try:
        layers = module.model.decoder(
            input_ids=torch.tensor([ids], device=states.device),
            encoder_hidden_states=states,
            use_cache=False,
            output_attentions=True,
        ).cross_attentions
    finally:
        config._attn_implementation = before
    return torch.stack([layers[layer][0, head] for layer, head in _heads(module)]).float()


def _heads(module: Any) -> list[tuple[int, int]]:
    """As the author has measured them; else all of the second half of the layers, as openai-whisper has it."""
    if measured := getattr(module.generation_config, "alignment_heads", None):
        return [(int(layer), int(head)) for layer, head in measured]
    config = module.config
    layers = range(config.decoder_layers // 2, config.decoder_layers)
    return [(layer, head) for layer in layers for head in range(config.decoder_attention_heads)]


def _median(values: Tensor, width: int) -> Tensor:
    """Each number replaced by the median of those around it, along the last axis."""
    side = width // 2
    if values.shape[-1] <= side:
        return values
    padded = torch.nn.functional.pad(values, (side, side, 0, 0), mode="reflect")
    return padded.unfold(-1, width, 1).sort()[0][..., side]


def warped(costs: NDArray[np.float64]) -> list[int]:
    """At which column each row is entered on the cheapest way through all costs (dynamic time warping).

    Computed along diagonals, whose places do not depend on one another.
    """
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf, np.float32)
    steps = np.full((rows + 1, columns + 1), 2, np.int8)
    total[0, 0], steps[:, 0], steps[0, :] = 0, 1, 2
    for diagonal in range(2, rows + columns + 1):
        row = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        column = diagonal - row
        both, down, right = total[row - 1, column - 1], total[row - 1, column], total[row, column - 1]
        step = np.where((both < down) & (both < right), 0, np.where((down < both) & (down < right), 1, 2))
        total[row, column] = costs[row - 1, column - 1] + np.choose(step, [both, down, right])
        steps[row, column] = step
    return _entered(steps)


def _entered(steps: NDArray[np.int8]) -> list[int]:
    row, column = steps.shape[0] - 1, steps.shape[1] - 1
    entered = [0] * row
    while row > 0 or column > 0:
        if row > 0:
            entered[row - 1] = int(column) - 1
        step = steps[row, column]
        row, column = row - (step != 2), column - (step != 1)
    return entered
