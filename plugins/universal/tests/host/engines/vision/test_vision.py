"""What models see in pictures: for each kind what the plain library says, alone and beside other requests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from llamafarm_universal.engine import (
    ClassifyPictures,
    Depth,
    DetectObjects,
    EmbedPictures,
    EstimateDepth,
    PictureParts,
    RequestFailed,
    SegmentPictures,
    SpoolFolder,
)
from llamafarm_universal.host.engines.vision import load as loading
from llamafarm_universal.host.engines.vision.load import load_vision
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from llamafarm_universal.task import sight_of
from pictures import blob_of, noise, picture_in
from vision_library import Library, check_objects
from vision_models import KINDS

SHAPES = [(60, 40), (40, 60), (33, 33), (60, 40), (90, 30)]
IMAGES = [noise(number, *shape) for number, shape in enumerate(SHAPES)]
PICTURES = tuple(map(blob_of, IMAGES))


def test_the_classes_of_pictures_come_with_the_best_one_first(looking: Any, folder: SpoolFolder) -> None:
    model = looking("vit")
    library = Library(model.folder, "ImageClassification")
    [first], others = model.values(
        ClassifyPictures(PICTURES[:1], folder), ClassifyPictures((*PICTURES, PICTURES[0]), folder, top=2)
    )
    wanted = [library.classes(image) for image in IMAGES]
    assert [label.label for label in first] == [label for label, _ in wanted[0]]
    assert np.allclose([label.score for label in first], [score for _, score in wanted[0]], atol=1e-5)
    assert [[label.label for label in row] for row in others] == [
        [label for label, _ in row[:2]] for row in [*wanted, wanted[0]]
    ]
    assert others[0] == others[-1]
    assert model.engine.model.features == {"vision/classify"}


@pytest.mark.parametrize("kind", ["vit-features", "vit-without-pooler", "dinov2", "resnet"])
def test_a_picture_has_one_vector_or_one_for_each_patch(looking: Any, folder: SpoolFolder, kind: str) -> None:
    model = looking(kind)
    settings = {"add_pooling_layer": False} if kind == "vit-without-pooler" else {}
    library = Library(model.folder, "", **settings)
    pooled, patches = model.values(EmbedPictures(PICTURES, folder), EmbedPictures(PICTURES, folder, per_patch=True))
    for image, whole, parts in zip(IMAGES, pooled, patches, strict=True):
        output = library.output(image)
        states = output.last_hidden_state[0]
        wanted = states[0] if kind == "vit-without-pooler" else output.pooler_output[0].flatten()
        assert np.allclose(vectors(whole), wanted.numpy(), atol=1e-5)
        assert np.allclose(vectors(parts), states.flatten(1).T if kind == "resnet" else states[1:], atol=1e-5)


def test_a_pooling_counts_as_trained_whatever_form_its_layer_gets(
    looking: Any, folder: SpoolFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = loading.ready_weights

    def exchanged(plan: Any, module: Any, tokenizer: Any) -> Any:
        same = torch.nn.Linear(module.config.hidden_size, module.config.hidden_size)
        same.load_state_dict(module.pooler.dense.state_dict())
        module.pooler.dense = same
        return ready(plan, module, tokenizer)

    monkeypatch.setattr(loading, "ready_weights", exchanged)
    known = looking("vit-features")
    [wanted] = known.values(EmbedPictures(PICTURES, folder))
    [told] = type(known)(known.folder).values(EmbedPictures(PICTURES, folder))
    assert all(np.allclose(vectors(one), vectors(other), atol=1e-5) for one, other in zip(wanted, told, strict=True))


def vectors(features: Any) -> Any:
    return np.frombuffer(features.vectors.read(), "<f4").reshape(features.shape)


@pytest.mark.parametrize("kind", ["detr", "yolos"])
def test_objects_have_the_labels_scores_and_boxes_of_the_library(looking: Any, folder: SpoolFolder, kind: str) -> None:
    model = looking(kind)
    library = Library(model.folder, "ObjectDetection")
    [alone], found = model.values(
        DetectObjects(PICTURES[:1], folder, threshold=0.2), DetectObjects(PICTURES, folder, threshold=0.2)
    )
    check_objects(alone, library.objects(IMAGES[0], 0.2))
    for image, told in zip(IMAGES, found, strict=True):
        check_objects(told, library.objects(image, 0.2))
        assert (told.width, told.height) == image.size
    assert any(told.objects for told in found)
    [[usual]] = model.values(DetectObjects(PICTURES[:1], folder))
    check_objects(usual, library.objects(IMAGES[0], 0.5))


LOOKED_FOR = ("the quick fox", "lazy dog")


def test_owl_finds_what_a_request_names(looking: Any, folder: SpoolFolder, word_tokenizer: Any) -> None:
    model = looking("owlv2")
    library = Library(model.folder, "ZeroShotObjectDetection")
    texts = word_tokenizer(list(LOOKED_FOR), padding="max_length", max_length=16, return_tensors="pt")
    asked = {name: texts[name] for name in ("input_ids", "attention_mask")}
    found, reverse = model.values(
        DetectObjects(PICTURES, folder, LOOKED_FOR), DetectObjects(PICTURES[:1], folder, LOOKED_FOR[::-1])
    )
    for image, told in zip(IMAGES, found, strict=True):
        check_objects(told, library.objects(image, 0.1, library.output(image, **asked), LOOKED_FOR))
    assert {item.label for item in reverse[0].objects} == {item.label for item in found[0].objects}


def test_grounding_dino_finds_what_a_request_names(looking: Any, folder: SpoolFolder, word_tokenizer: Any) -> None:
    model = looking("grounding-dino")
    library = Library(model.folder, "ZeroShotObjectDetection")
    processor = transformers.GroundingDinoProcessor(library.processor, word_tokenizer)
    [*found] = model.values(
        *(DetectObjects((picture,), folder, ("The quick fox.", "lazy dog")) for picture in PICTURES)
    )
    for image, [told] in zip(IMAGES, found, strict=True):
        inputs = processor(images=image, text=[["the quick fox", "lazy dog"]], return_tensors="pt")
        with torch.no_grad():
            output = library.model(**inputs)
        [wanted] = processor.post_process_grounded_object_detection(
            output, threshold=0.25, text_threshold=0.25, target_sizes=[image.size[::-1]]
        )
        rows = zip(wanted["text_labels"], wanted["scores"].tolist(), wanted["boxes"].tolist(), strict=True)
        check_objects(told, sorted(rows, key=lambda row: -row[1]))
    assert any(told.objects for [told] in found)


@pytest.mark.parametrize(
    ("kind", "part", "auto"),
    [
        ("segformer", "semantic", "SemanticSegmentation"),
        ("mask2former", "panoptic", "UniversalSegmentation"),
        ("mask2former", "instance", "UniversalSegmentation"),
        ("mask2former", "semantic", "UniversalSegmentation"),
        ("detr-segmentation", "panoptic", "ImageSegmentation"),
    ],
)
def test_parts_of_pictures_have_the_masks_of_the_library(
    looking: Any, folder: SpoolFolder, kind: str, part: Any, auto: str
) -> None:
    model = looking(kind)
    library = Library(model.folder, auto)
    [alone], found = model.values(
        SegmentPictures(PICTURES[:1], folder, part, 0.3), SegmentPictures(PICTURES, folder, part, 0.3)
    )
    check_parts(alone, library.parts(IMAGES[0], part, 0.3))
    for image, told in zip(IMAGES, found, strict=True):
        assert (told.width, told.height, told.kind) == (*image.size, part)
        check_parts(told, library.parts(image, part, 0.3))
    assert any(told.segments for told in found)


def test_oneformer_is_told_in_words_which_parts_are_wanted(looking: Any, folder: SpoolFolder) -> None:
    model = looking("oneformer")
    library = Library(model.folder, "UniversalSegmentation")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.folder)
    processor = transformers.OneFormerProcessor(library.processor, tokenizer)
    told_in = processor._preprocess_text(["the task is semantic"], 77)
    [found] = model.values(SegmentPictures(PICTURES, folder, "semantic"))
    for image, told in zip(IMAGES, found, strict=True):
        check_parts(told, library.parts(image, "semantic", 0.5, task_inputs=told_in))
    assert any(told.segments for told in found)
    with pytest.raises(RequestFailed, match=r"makes no `instance` parts, but .*`semantic` ones"):
        model.engine.prepare(SegmentPictures(PICTURES, folder, "instance"))


def check_parts(told: PictureParts, wanted: list[Any]) -> None:
    assert [each.label for each in told.segments] == [label for label, _, _ in wanted]
    for each, (_, score, mask) in zip(told.segments, wanted, strict=True):
        assert each.score == (score if score is None else pytest.approx(score, abs=1e-5))
        assert np.array_equal(np.asarray(picture_in(each.mask.read())), mask)


def test_a_picture_too_large_for_its_classes_is_divided_in_a_smaller_one(
    looking: Any, folder: SpoolFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamafarm_universal.host.engines.vision.segment.MOST_NUMBERS", 4 * 30 * 20)
    model = looking("segformer")
    [[told]] = model.values(SegmentPictures(PICTURES[:1], folder))
    masks = [np.asarray(picture_in(each.mask.read())) for each in told.segments]
    assert {mask.shape for mask in masks} == {(40, 60)}
    assert np.array_equal(sum(mask.astype(int) for mask in masks), np.ones((40, 60)))


def test_each_mask_is_a_step_and_none_is_made_for_nobody(looking: Any, folder: SpoolFolder) -> None:
    engine = looking("segformer").engine
    events = looking("segformer").start("whole", SegmentPictures(PICTURES[:1], folder))
    steps = 1
    while engine.step():
        steps += 1
    assert steps == 2 + len(events[-1].value[0].segments)
    left = looking("segformer").start("left", SegmentPictures(PICTURES, folder))
    engine.step()
    engine.step()
    engine.cancel("left")
    assert not engine.step()
    assert not any(event.is_last for event in left)


def test_depth_is_a_picture_in_16_bits_with_what_its_shades_mean(looking: Any, folder: SpoolFolder) -> None:
    model = looking("depth-anything")
    library = Library(model.folder, "DepthEstimation")
    [alone], found = model.values(EstimateDepth(PICTURES[:1], folder), EstimateDepth(PICTURES, folder))
    check_depth(alone, library.depth(IMAGES[0]))
    for image, told in zip(IMAGES, found, strict=True):
        assert (told.width, told.height) == image.size
        check_depth(told, library.depth(image))


def check_depth(told: Depth, wanted: Any) -> None:
    shades = np.asarray(picture_in(told.depth.read())).astype(np.float64)
    assert (shades.min(), shades.max()) == (0, 65535)
    step = (told.most - told.least) / 65535
    assert np.allclose(told.least + shades * step, wanted, rtol=1e-4, atol=step)


@pytest.mark.parametrize(
    ("kind", "ask", "param"),
    [
        ("vit", lambda folder: ClassifyPictures((), folder), "input"),
        ("vit", lambda folder: ClassifyPictures((blob_of(noise(1, 4, 2000)),), folder), "input"),
        ("detr", lambda folder: DetectObjects(PICTURES, folder, ("a cat",)), "candidate_labels"),
        ("owlv2", lambda folder: DetectObjects(PICTURES, folder), "candidate_labels"),
        ("owlv2", lambda folder: DetectObjects(PICTURES, folder, ("hello " * 30,)), "candidate_labels"),
        ("grounding-dino", lambda folder: DetectObjects(PICTURES, folder), "candidate_labels"),
        ("grounding-dino", lambda folder: DetectObjects(PICTURES, folder, ("hello",) * 40), "candidate_labels"),
        ("segformer", lambda folder: SegmentPictures(PICTURES, folder, "panoptic"), "kind"),
    ],
)
def test_what_a_model_cannot_look_for_is_refused(
    looking: Any, folder: SpoolFolder, kind: str, ask: Callable[[SpoolFolder], Any], param: str
) -> None:
    with pytest.raises(RequestFailed) as refused:
        looking(kind).engine.prepare(ask(folder))
    assert refused.value.param == param


def test_a_library_that_is_missing_is_named_and_no_damage_is_guessed(looking: Any, tmp_path: Path) -> None:
    """As of `facebook/detr-resnet-50`, whose pictures go through timm but for its revision `no_timm`."""
    folder = shutil.copytree(looking("detr").folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config |= {"backbone_config": None, "use_timm_backbone": True, "backbone": "resnet50"}
    (folder / "config.json").write_text(json.dumps(config))
    plan = make_plan(ModelRef(str(folder), LoadSettings(device="cpu")), folder, Machine(), Limits())
    with pytest.raises(RequestFailed, match="a library that is not installed here: TimmBackbone requires") as failed:
        load_vision(plan)
    assert (failed.value.kind, "revision" in str(failed.value.hint)) == ("not_supported", True)


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_files_say_what_a_model_can_do(looking: Any, kind: str) -> None:
    model = looking(kind)
    assert (model.plan.task, {sight_of(model.plan.config)}) == ("vision", model.engine.model.operations)
