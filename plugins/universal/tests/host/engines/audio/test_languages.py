"""A model of many languages spells each as transformers' own model does with the adapter of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_models import make_mms, noise
from listening import Listening
from llamafarm_universal.engine import Failed, RequestFailed
from llamafarm_universal.host.engines import stepwise
from llamafarm_universal.host.engines.audio.spec import ENGINE
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import Candidate
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.store.plan import read_config
from safetensors.torch import load_file, save_file

LANGUAGES = ("azj-script_latin", "deu", "eng")


@pytest.fixture(scope="module")
def mms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = make_mms(tmp_path_factory.mktemp("models") / "mms")
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def piped(folder: Path, samples: np.ndarray[Any, Any], language: str) -> str:
    from transformers import AutoFeatureExtractor, AutoTokenizer, Wav2Vec2ForCTC, pipeline

    model = Wav2Vec2ForCTC.from_pretrained(folder, target_lang=language, ignore_mismatched_sizes=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, target_lang=language)
    features = AutoFeatureExtractor.from_pretrained(folder)
    plain: Any = pipeline(
        "automatic-speech-recognition", model=model, tokenizer=tokenizer, feature_extractor=features, chunk_length_s=15
    )
    return str(plain(samples.copy())["text"])


def test_each_language_is_what_the_plain_model_spells_with_its_adapter(mms: Listening) -> None:
    samples, texts = noise(20), {}
    for language in (*LANGUAGES, "deu"):
        texts[language] = mms.transcript(samples, language=language)["text"]
        assert texts[language].split() == piped(mms.folder, samples, language).split()
        assert len(texts[language]) > 5
    assert len({*texts.values()}) == 3
    assert mms.transcript(samples)["text"] == texts["eng"], "the language that it has by itself"


def test_recordings_in_several_languages_beside_each_other_are_spelled_as_alone(
    mms: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = [mms.work(noise(seconds, seed), language=language) for seconds, seed, language in (
        (20, 1, "deu"), (20, 2, "eng"), (3, 3, "deu"), (20, 4, "azj-script_latin"),
    )]  # fmt: skip
    alone = [mms.values(work)[0]["text"] for work in works]
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    assert [value["text"] for value in mms.values(*works)] == alone


@pytest.mark.parametrize(
    ("said", "language"),
    [("deu", "deu"), ("de", "deu"), ("German", "deu"), ("az", "azj-script_latin"), ("AZJ", "azj-script_latin")],
)
def test_a_language_is_named_by_any_of_its_codes_or_in_english(mms: Listening, said: str, language: str) -> None:
    told = mms.transcript(noise(1), language=said)
    assert told["language"] == language


@pytest.mark.parametrize("said", ["fr", "xx", "../deu", "script", "azj-script", ""])
def test_a_language_that_it_does_not_know_is_refused_with_those_that_it_does(mms: Listening, said: str) -> None:
    work = mms.work(noise(1), language=said)
    if not said:
        assert mms.values(work)[0]["language"] == "eng"
        return
    with pytest.raises(RequestFailed, match="does not know the language") as failure:
        mms.engine.prepare(work)
    assert (failure.value.param, failure.value.hint) == ("language", f"It knows {', '.join(LANGUAGES)}.")


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_a_damaged_adapter_fails_its_own_language_alone(mms: Listening, tmp_path: Path, content: bytes | None) -> None:
    folder = Path(shutil.copytree(mms.folder, tmp_path / "changed"))
    engine, adapter = Listening(folder, tmp_path), folder / "adapter.deu.safetensors"
    if content is None:  # another model's
        tensors = load_file(adapter)
        save_file({name: tensor for name, tensor in tensors.items() if name != "lm_head.bias"}, adapter)
    else:
        adapter.write_bytes(content)
    alone = engine.transcript(noise(2))["text"]
    broken, whole = engine.events(engine.work(noise(2), language="de"), engine.work(noise(2)))
    assert isinstance(broken[-1], Failed)
    assert (broken[-1].kind, broken[-1].param) == ("load_failed", "language")
    assert "for the language `deu` cannot be read" in broken[-1].message
    assert not isinstance(whole[-1], Failed)
    assert engine.transcript(noise(2))["text"] == alone
    engine.close()


def test_a_model_without_the_adapter_of_its_own_language_comes_back_to_it(mms: Listening, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mms.folder, tmp_path / "changed"))
    (folder / "adapter.eng.safetensors").unlink()
    engine = Listening(folder, tmp_path)
    texts = [engine.transcript(noise(3), language=language)["text"] for language in ("en", "de", "en")]
    assert texts[0] == texts[2] != texts[1]
    engine.close()


def test_a_model_whose_letters_are_of_one_language_alone_takes_no_language(mms: Listening, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mms.folder, tmp_path / "changed"))
    nested = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(nested["eng"]))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "target_lang": None}))
    engine = Listening(folder, tmp_path)
    assert engine.transcript(noise(2))["text"] == mms.transcript(noise(2), language="eng")["text"]
    with pytest.raises(RequestFailed, match="takes no `language`"):
        engine.engine.prepare(engine.work(noise(2), language="eng"))
    engine.close()


def test_adapters_are_not_weighed_beside_the_model(mms: Listening) -> None:
    config = read_config(mms.folder, "model")
    ref = ModelRef(str(mms.folder), LoadSettings(dtype="fp32"))
    candidate = Candidate(ref, mms.folder, config, "audio", "cpu", "fp32", count_parameters(mms.folder))
    fit = ENGINE.fit(candidate)
    assert fit is not None
    assert fit.weight_bytes == 4 * count_parameters(mms.folder, "model.safetensors")
