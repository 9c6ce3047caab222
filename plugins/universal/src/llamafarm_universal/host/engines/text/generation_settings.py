"""What an author has set in generation_config.json: read for the sampler, or told to be without effect here.

Source: transformers' GenerationConfig.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

SUPPORTED = frozenset(
    {
        "bad_words_ids",
        "begin_suppress_tokens",
        "do_sample",
        "eos_token_id",
        "min_new_tokens",
        "min_p",
        "no_repeat_ngram_size",
        "repetition_penalty",
        "sequence_bias",
        "stop_strings",
        "suppress_tokens",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
    }
)
"""What the sampler does where a request says nothing else."""

_WITHOUT_EFFECT: Mapping[str, Any] = {
    "constraints": None,
    "diversity_penalty": 0.0,
    "dola_layers": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "exponential_decay_length_penalty": None,
    "force_words_ids": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "guidance_scale": 1.0,
    "min_length": 0,
    "num_beams": 1,
    "penalty_alpha": 0.0,
    "token_healing": False,
    "top_h": None,
    "watermarking_config": None,
}
"""The other settings that change which tokens come, each with the value that changes nothing.

How long an answer is and how many there are is not among them: that is the request's to say.
"""


def not_applied(defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the settings of a generation_config.json that would change answers and are not applied."""
    return tuple(name for name, neutral in _WITHOUT_EFFECT.items() if defaults.get(name) not in (None, neutral, [], {}))


def default_temperature(config: Mapping[str, Any]) -> float | None:
    """0, always the likeliest token, where the author says `do_sample: false`."""
    return 0.0 if config.get("do_sample") is False else config.get("temperature")


def sequence_biases(config: Mapping[str, Any], end_tokens: frozenset[int]) -> dict[tuple[int, ...], float]:
    """What is added to the last token of each sequence of tokens where the others come before it.

    A bad word that is nothing but an end token is left out, as transformers leaves it out.
    """
    biases = config.get("sequence_bias") or {}
    pairs = biases.items() if isinstance(biases, Mapping) else biases
    words = [tuple(word) for word in config.get("bad_words_ids") or ()]
    bad = [word for word in words if not (len(word) == 1 and word[0] in end_tokens)]
    return {**{tuple(sequence): float(bias) for sequence, bias in pairs}, **dict.fromkeys(bad, -math.inf)}


def texts(value: str | list[str] | None) -> tuple[str, ...]:
    """`stop_strings`: one text, or several."""
    return (value,) if isinstance(value, str) else tuple(value or ())
