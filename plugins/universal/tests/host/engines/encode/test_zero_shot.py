"""Labels of a request's own beside pictures: CLIP and SigLIP say what the plain library says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from llamafarm_universal.engine import LabelPictures, RequestFailed, SpoolFolder, decoder_of
from llamafarm_universal.media.settings import MediaSettings
from pictures import blob_of, noise
from tiny_models import make_towers

LABELS = ("fox", "lazy dog", "london")
IMAGES = [noise(number, *shape) for number, shape in enumerate([(20, 30), (64, 16), (16, 16)])]
PICTURES = tuple(map(blob_of, IMAGES))


@pytest.fixture(scope="module")
def loaded(models_folder: Path, word_tokenizer: Any, encoding: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    yield {
        family: encoding(make_towers(models_folder / f"labels-{family}", word_tokenizer, family), batch=32)
        for family in ("CLIP", "Siglip")
    }
    decoder_of(MediaSettings()).close()
    decoder_of.cache_clear()


def wanted(folder: Path, family: str, tokenizer: Any, template: str) -> list[dict[str, float]]:
    """Source: transformers' zero-shot image classification pipeline."""
    from transformers import AutoImageProcessor, AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    padding = {"padding": "max_length", "max_length": 64} if family == "Siglip" else {"padding": True}
    texts = tokenizer([template.replace("{}", label) for label in LABELS], return_tensors="pt", **padding)
    names = ["input_ids"] if family == "Siglip" else ["input_ids", "attention_mask"]
    rows = []
    for image in IMAGES:
        pixels = processor(images=image, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            logits = model(pixel_values=pixels, **{name: texts[name] for name in names}).logits_per_image[0]
        scores = logits.sigmoid() if family == "Siglip" else logits.softmax(-1)
        rows.append(dict(zip(LABELS, scores.tolist(), strict=True)))
    return rows


@pytest.mark.parametrize("family", ["CLIP", "Siglip"])
def test_labels_have_the_scores_of_the_library(
    loaded: dict[str, Any], folder: SpoolFolder, word_tokenizer: Any, family: str
) -> None:
    model = loaded[family]
    alone, together, other = model.values(
        LabelPictures(PICTURES[:1], folder, LABELS),
        LabelPictures((*PICTURES, PICTURES[0]), folder, LABELS),
        LabelPictures(PICTURES, folder, LABELS, "hello {}"),
    )
    usual = wanted(model.folder, family, word_tokenizer, "This is a photo of {}.")
    told = [{label.label: label.score for label in row} for row in (*alone, *together)]
    for row, scores in zip(told, [usual[0], *usual, usual[0]], strict=True):
        assert row == pytest.approx(scores, abs=1e-5)
    for row, scores in zip(other, wanted(model.folder, family, word_tokenizer, "hello {}"), strict=True):
        assert {label.label: label.score for label in row} == pytest.approx(scores, abs=1e-5)
    assert all(np.all(np.diff([label.score for label in row]) <= 0) for row in together)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"labels": ()}, "candidate_labels"),
        ({"template": "a photo"}, "hypothesis_template"),
        ({"labels": ("hello " * 100,)}, "candidate_labels"),
        ({"pictures": ()}, "input"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    loaded: dict[str, Any], folder: SpoolFolder, changes: dict[str, Any], param: str
) -> None:
    asked: dict[str, Any] = {"pictures": PICTURES, "folder": folder, "labels": LABELS, **changes}
    with pytest.raises(RequestFailed) as refused:
        loaded["CLIP"].engine.prepare(LabelPictures(**asked))
    assert refused.value.param == param
