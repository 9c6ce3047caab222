"""Settings of a model's author that have no effect here are told."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from llamafarm_universal.host.engines.text import sampling
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.host.engines.text.generation_settings import SUPPORTED, not_applied
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from transformers import GenerationConfig


def load(folder: Path) -> TextEngine:
    return TextEngine.load(make_plan(ModelRef(str(folder)), folder, Machine(), Limits()))


def test_a_setting_that_is_not_applied_is_told_by_the_model_and_the_log(
    copy_of: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy_of()
    settings = {"temperature": 0.6, "suppress_tokens": [3], "no_repeat_ngram_size": 2}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    with caplog.at_level(logging.WARNING):
        model = load(folder).model
    assert model.not_applied == ("no_repeat_ngram_size", "suppress_tokens")
    assert f"`{folder}`" in caplog.text
    assert "no_repeat_ngram_size, suppress_tokens" in caplog.text


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
        {"bad_words_ids": [[3]]},
        {"begin_suppress_tokens": [3]},
        {"encoder_no_repeat_ngram_size": 2},
        {"exponential_decay_length_penalty": [10, 1.5]},
        {"forced_bos_token_id": 0},
        {"forced_eos_token_id": 2},
        {"guidance_scale": 2.0},
        {"min_length": 5},
        {"num_beams": 4},
        {"sequence_bias": [[[3], -1.0]]},
        {"stop_strings": ["end"]},
        {"typical_p": 0.9},
    ],
)
def test_each_setting_that_changes_answers_is_known(setting: dict[str, object]) -> None:
    assert not_applied(setting) == tuple(setting)
    assert set(setting) <= set(GenerationConfig().to_dict()), "the library knows it by this name"


def test_what_is_called_supported_is_read_by_the_sampler_or_ends_an_answer() -> None:
    assert {name for name in SUPPORTED if f'"{name}"' in inspect.getsource(sampling)} == SUPPORTED - {"eos_token_id"}
