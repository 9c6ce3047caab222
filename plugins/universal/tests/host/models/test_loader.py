"""Why weights could not be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.encode.load import load_encoder
from llamafarm_universal.host.models.loader import load_failure, load_weights
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import make_plan
from tiny_models import make_bert


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


def without(folder: Path, lost: str, kept: Path) -> Path:
    """A copy of a model whose files lack the weights with `lost` in their names."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, kept)
    weights = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if lost not in name}
    save_file(weights, kept / "model.safetensors", metadata={"format": "pt"})
    return kept


def test_random_layers_are_not_served_as_if_they_were_trained(llama_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = without(llama_folder, "layers.1.", tmp_path / "headless")
    with pytest.raises(RequestFailed, match=r"lack weights of `LlamaForCausalLM`: .* and \d+ more\.") as caught:
        load_weights(plan(folder), AutoModelForCausalLM)
    assert "`model.layers.1.input_layernorm.weight`" in caught.value.message
    assert "trained for the task `text`" in (caught.value.hint or "")


def test_a_head_that_nobody_has_trained_is_refused(models_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    whole = make_bert(models_folder / "headed", tokenizer, "SequenceClassification", "no", "yes")
    made = plan(without(whole, "classifier", tmp_path / "base"))
    with pytest.raises(RequestFailed, match=r"`classifier\.bias`, `classifier\.weight`\.$"):
        load_encoder(made)


def test_weights_that_are_tied_need_not_be_in_the_files(
    make_model: Callable[..., Path], models_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    folder = make_model(models_folder / "tied", tie_word_embeddings=True)
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert load_weights(plan(folder), AutoModelForCausalLM).parameters


def test_embedding_needs_no_pooler_and_everything_else(bert: ModelRef, tmp_path: Path) -> None:
    assert load_encoder(plan(without(Path(bert.id), "pooler", tmp_path / "poolerless"))).model.dimensions
    with pytest.raises(RequestFailed, match="lack weights of `BertModel`"):
        load_encoder(plan(without(Path(bert.id), "layer.1.output.dense", tmp_path / "damaged")))


def test_a_sentence_encoder_is_held_to_the_same(minilm: ModelRef, tmp_path: Path) -> None:
    folder = locate(minilm, lambda *_: None)
    assert load_encoder(plan(without(folder, "pooler", tmp_path / "poolerless"))).model.dimensions == 384
    with pytest.raises(RequestFailed, match=r"`encoder\.layer\.2\.output\.dense\.bias`"):
        load_encoder(plan(without(folder, "layer.2.output.dense", tmp_path / "damaged")))
