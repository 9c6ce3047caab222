"""Settings of a model's author that have no effect here are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.host.engines.text.generation_settings import SUPPORTED, not_applied
from llamafarm_universal.host.engines.text.limits import ModelLimits
from llamafarm_universal.host.engines.text.sampling import settle
from llamafarm_universal.messages import Machine, ModelRef, Sampling
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from transformers import GenerationConfig


def load(folder: Path) -> TextEngine:
    return TextEngine.load(make_plan(ModelRef(str(folder)), folder, Machine(), Limits()), 2**20)


def test_a_setting_that_is_not_applied_is_told_by_the_model_and_the_log(
    copy_of: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy_of()
    settings = {"temperature": 0.6, "suppress_tokens": [3], "num_beams": 2, "guidance_scale": 1.5}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    with caplog.at_level(logging.WARNING):
        model = load(folder).model
    assert model.not_applied == ("guidance_scale", "num_beams")
    assert f"`{folder}`" in caplog.text
    assert "guidance_scale, num_beams" in caplog.text


def test_a_model_of_plain_settings_says_nothing(llama_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert load(llama_folder).model.not_applied == ()
    assert "generation_config" not in caplog.text


def test_what_the_library_takes_for_granted_is_no_setting() -> None:
    whole = {**GenerationConfig().to_dict(), **GenerationConfig._get_default_generation_params()}
    assert not_applied(whole) == ()
    assert not_applied({"bad_words_ids": [], "sequence_bias": {}, "min_length": 0, "num_beams": 1}) == ()


@pytest.mark.parametrize(
    "setting",
    [
        {"encoder_no_repeat_ngram_size": 2},
        {"epsilon_cutoff": 0.1},
        {"exponential_decay_length_penalty": [10, 1.5]},
        {"forced_bos_token_id": 0},
        {"forced_eos_token_id": 2},
        {"guidance_scale": 2.0},
        {"min_length": 5},
        {"num_beams": 4},
    ],
)
def test_each_setting_that_changes_answers_is_known(setting: dict[str, object]) -> None:
    assert not_applied(setting) == tuple(setting)
    assert set(setting) <= set(GenerationConfig().to_dict()), "the library knows it by this name"


EFFECTS = {
    "bad_words_ids": [[3]],
    "begin_suppress_tokens": [3],
    "do_sample": False,
    "min_new_tokens": 3,
    "min_p": 0.1,
    "no_repeat_ngram_size": 3,
    "repetition_penalty": 1.3,
    "sequence_bias": [[[3, 1], -1.0]],
    "stop_strings": "end",
    "suppress_tokens": [3],
    "temperature": 0.3,
    "top_k": 3,
    "top_p": 0.3,
    "typical_p": 0.3,
}


def test_what_is_called_supported_changes_how_a_model_answers() -> None:
    """End tokens are tried with a whole engine."""
    plain = settle(Sampling(), ModelLimits(None, 9, frozenset({8}), {}))
    changed = {
        name
        for name, value in EFFECTS.items()
        if settle(Sampling(), ModelLimits(None, 9, frozenset({8}), {name: value})) != plain
    }
    assert changed == set(EFFECTS) == SUPPORTED - {"eos_token_id"}
