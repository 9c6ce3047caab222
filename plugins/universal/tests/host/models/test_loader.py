"""Why weights could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.models.loader import load_failure, load_weights
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan


def plan(folder: Path) -> Any:
    return make_plan(ModelRef(str(folder)), folder, Machine(), Limits())


def test_who_may_delete_what_is_damaged_depends_on_whose_files_they_are(llama_folder: Path) -> None:
    own = plan(llama_folder)
    fetched = replace(own, ref=ModelRef("org/model"))
    hints = [load_failure(made, ValueError("odd")).hint or "" for made in (own, fetched)]
    assert ["delete" in hint for hint in hints] == [False, True]


def test_a_client_reads_the_names_of_files_and_the_log_has_where_they_lie(
    llama_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = replace(plan(llama_folder), ref=ModelRef("org/model"))
    failure = load_failure(fetched, OSError(f"Error no file named model.bin found in directory {llama_folder}/x."))
    assert str(llama_folder.parent) not in f"{failure.message} {failure.hint}"
    assert "`org/model`" in failure.message
    assert "model.bin" in failure.message
    assert str(llama_folder) in caplog.text


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"])
def test_damaged_files_are_told_without_their_folder(copy_of: Callable[..., Path], file: str) -> None:
    from transformers import AutoModelForCausalLM

    folder = copy_of()
    (folder / file).write_bytes(b"{damaged")
    with pytest.raises(RequestFailed) as caught:
        load_weights(replace(plan(folder), ref=ModelRef("org/model")), AutoModelForCausalLM)
    message = f"{caught.value.message} {caught.value.hint}"
    assert str(folder.parent) not in message.replace(f"`{folder}`", "")  # the client named that one itself
