"""Recordings have the classes that transformers' own pipeline gives them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_models import RATE, make_sound_classifier, noise, wav_of
from listening import Listening
from llamafarm_universal.engine import Blob, ClassifySounds, Failed, Finished, RequestFailed, SoundClasses
from llamafarm_universal.host.engines.audio import classes

CLASSES = 6


@pytest.fixture(scope="module", params=["Wav2Vec2", "Hubert", "AST"])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = make_sound_classifier(tmp_path_factory.mktemp("models") / "classes", request.param, CLASSES)
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def work(engine: Listening, *recordings: np.ndarray[Any, Any], top: int = CLASSES) -> ClassifySounds:
    contents = [wav_of(samples) for samples in recordings]
    blobs = tuple(Blob("audio/wav", len(content), content) for content in contents)
    return ClassifySounds(blobs, engine.spool, top)


def told(engine: Listening, *works: ClassifySounds) -> list[tuple[SoundClasses, ...]]:
    """The value of each work; all of them run beside each other."""
    ends = [events[-1] for events in engine.events(*works)]
    assert all(isinstance(end, Finished) for end in ends), [end for end in ends if isinstance(end, Failed)]
    return [end.value for end in ends if isinstance(end, Finished)]


def piped(folder: Path, samples: np.ndarray[Any, Any]) -> dict[str, float]:
    from transformers import pipeline

    plain: Any = pipeline("audio-classification", str(folder), top_k=None)
    return {each["label"]: each["score"] for each in plain(samples.copy())}


def scores(value: SoundClasses) -> dict[str, float]:
    return {label.label: label.score for label in value.labels}


@pytest.mark.parametrize("seconds", [0.3, 1.9])
def test_a_recording_has_the_classes_that_the_pipeline_gives_it(classifier: Listening, seconds: float) -> None:
    samples = noise(seconds)
    [[value]] = told(classifier, work(classifier, samples))
    assert scores(value) == pytest.approx(piped(classifier.folder, samples), abs=1e-5)
    assert value.duration == pytest.approx(seconds)
    assert [label.score for label in value.labels] == sorted(scores(value).values(), reverse=True)
    assert max(scores(value).values()) > 1.2 / CLASSES, "it is sure of something"


def test_recordings_beside_each_other_have_the_classes_that_they_have_alone(classifier: Listening) -> None:
    several = [work(classifier, noise(1, 1), noise(1, 2), noise(0.4, 3)), work(classifier, noise(1, 4))]
    together = told(classifier, *several)
    alone = [told(classifier, each)[0] for each in several]
    for one, other in zip([*together[0], *together[1]], [*alone[0], *alone[1]], strict=True):
        assert scores(one) == pytest.approx(scores(other), abs=1e-5)
    assert scores(together[0][0]) == pytest.approx(piped(classifier.folder, noise(1, 1)), abs=1e-5)


def test_the_best_ones_are_told(classifier: Listening) -> None:
    samples = noise(1)
    [[three]], [[many]] = (told(classifier, work(classifier, samples, top=top)) for top in (3, 99))
    assert three.labels == many.labels[:3]
    assert len(many.labels) == CLASSES


def test_a_long_recording_has_the_mean_of_its_windows_by_their_seconds(classifier: Listening) -> None:
    length = classifier.engine._runner.compute.__self__.length
    samples = noise(2.25 * length / RATE)
    [[value]] = told(classifier, work(classifier, samples))
    windows = [samples[:length], samples[length : 2 * length], samples[-length:]]
    plain = [piped(classifier.folder, window) for window in windows]
    wanted = {
        label: sum(seconds * each[label] for seconds, each in zip((1, 1, 0.25), plain, strict=True)) / 2.25
        for label in plain[0]
    }
    assert scores(value) == pytest.approx(wanted, abs=1e-5)


def test_what_is_heard_once_has_been_heard_where_several_classes_may_be_right(tmp_path: Path) -> None:
    folder = make_sound_classifier(tmp_path / "many", problem_type="multi_label_classification")
    engine = Listening(folder, tmp_path)
    samples = noise(70)
    [[value]] = told(engine, work(engine, samples))
    length = classes.WINDOW_SECONDS * RATE
    plain = [piped(folder, window) for window in (samples[:length], samples[length : 2 * length], samples[-length:])]
    assert scores(value) == pytest.approx({label: max(each[label] for each in plain) for label in plain[0]}, abs=1e-5)
    engine.close()


@pytest.mark.parametrize("samples", [1, 100, 330])
def test_a_recording_that_is_shorter_than_what_a_model_reads_is_followed_by_silence(
    classifier: Listening, samples: int
) -> None:
    [[value]] = told(classifier, work(classifier, noise(1)[:samples]))
    assert sum(scores(value).values()) == pytest.approx(1)


def test_what_is_no_sound_is_named_by_its_place(classifier: Listening) -> None:
    wrong = ClassifySounds((*work(classifier, noise(1)).sounds, Blob("audio/wav", 5, b"hello")), classifier.spool)
    with pytest.raises(RequestFailed, match="The file is no sound") as failure:
        classifier.engine.prepare(wrong)
    assert failure.value.param == "input[1]"


def test_a_folder_without_its_feature_extractor_says_so(classifier: Listening, tmp_path: Path) -> None:
    shutil.copytree(classifier.folder, tmp_path / "half")
    (tmp_path / "half" / "preprocessor_config.json").unlink()
    with pytest.raises(RequestFailed, match="could not be loaded"):
        Listening(tmp_path / "half", tmp_path)
