"""What an author has set in generation_config.json that the sampler does not do: it is told, never left out silently.

Source: transformers' GenerationConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPORTED = frozenset({"do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "eos_token_id"})
"""What the sampler does where a request says nothing else."""

_WITHOUT_EFFECT: Mapping[str, Any] = {
    "bad_words_ids": None,
    "begin_suppress_tokens": None,
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
    "min_new_tokens": 0,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "penalty_alpha": 0.0,
    "sequence_bias": None,
    "stop_strings": None,
    "suppress_tokens": None,
    "token_healing": False,
    "top_h": None,
    "typical_p": 1.0,
    "watermarking_config": None,
}
"""The settings that change which tokens come, each with the value that changes nothing.

How long an answer is and how many there are is not among them: that is the request's to say.
"""


def not_applied(defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the settings of a generation_config.json that would change answers and are not applied."""
    return tuple(
        name
        for name, neutral in _WITHOUT_EFFECT.items()
        if name not in SUPPORTED and defaults.get(name) not in (None, neutral, [], {})
    )
