"""The operation table: what can be asked, how it travels, and what comes back."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from llamafarm.wire.operations import (
    CAPTION,
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    DEPTH,
    DETECT,
    EMBEDDINGS,
    FEATURES,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    OPERATIONS,
    PICTURE_CLASSES,
    RERANK,
    SCORE,
    SEGMENT,
    SOUND_CLASSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ZERO_SHOT,
)
from openai.types import image_create_variation_params, image_edit_params, image_generate_params
from openai.types.audio import speech_create_params, transcription_create_params, translation_create_params

SIGHT = (PICTURE_CLASSES, ZERO_SHOT, FEATURES, DETECT, SEGMENT, DEPTH, CAPTION)
OFFICIAL = {
    IMAGES.name: image_generate_params.ImageGenerateParams,
    IMAGE_EDITS.name: image_edit_params.ImageEditParams,
    IMAGE_VARIATIONS.name: image_create_variation_params.ImageCreateVariationParams,
    TRANSCRIPTIONS.name: transcription_create_params.TranscriptionCreateParams,
    TRANSLATIONS.name: translation_create_params.TranslationCreateParams,
    SPEECH.name: speech_create_params.SpeechCreateParams,
}
BESIDE_THE_WIRE = {"safety_identifier"}
"""A field that chats have too, where it goes to the provider as it is; so it does here."""

named = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def test_no_two_operations_share_a_name_a_method_or_a_path():
    for column in ("name", "method", "path"):
        assert len({getattr(operation, column) for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "required"),
    [
        (CHAT, ("messages",)),
        (COMPLETIONS, ("prompt",)),
        (EMBEDDINGS, ("input",)),
        (IMAGES, ("prompt",)),
        (IMAGE_EDITS, ("image", "prompt")),
        (IMAGE_VARIATIONS, ("image",)),
        (TRANSCRIPTIONS, ("file",)),
        (TRANSLATIONS, ("file",)),
        (SPEECH, ("input",)),
        (SOUND_CLASSES, ("input",)),
        (RERANK, ("query", "documents")),
        (SCORE, ("text_1", "text_2")),
        (CLASSIFY, ("input",)),
        (NER, ("input",)),
        *((row, ("input",)) for row in SIGHT),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_fields_that_every_request_has_are_known_in_the_wires_order(operation, required):
    assert operation.required == required


@named
def test_every_request_may_name_its_model_and_need_not(operation):
    assert "model" in operation.fields
    assert "model" not in operation.required


@named
def test_what_carries_files_travels_as_a_form_and_nothing_else_does(operation):
    files = {name for name in operation.fields if name in ("image", "mask", "markup", "file")}
    assert operation.is_form == bool(files)


@pytest.mark.parametrize(
    ("returns", "operations"),
    [
        ("reply", {CHAT, COMPLETIONS}),
        ("value", {EMBEDDINGS, RERANK, SCORE, CLASSIFY, NER, SOUND_CLASSES, *SIGHT}),
        ("content", {IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS, TRANSCRIPTIONS, TRANSLATIONS, SPEECH}),
    ],
)
def test_what_grows_is_a_reply_what_is_of_any_media_type_a_content_and_the_rest_a_value(returns, operations):
    assert {operation for operation in OPERATIONS if operation.returns == returns} == operations


@named
def test_a_text_that_grows_has_a_type_for_its_chunks(operation):
    assert (operation.chunk is not None) == (operation.returns == "reply")


@pytest.mark.parametrize("name", OFFICIAL)
def test_it_knows_the_fields_that_the_official_client_sends(name):
    [operation] = [one for one in OPERATIONS if one.name == name]
    kinds = get_args(OFFICIAL[name]) or (OFFICIAL[name],)
    sent = {field for kind in kinds for field in get_type_hints(kind)}
    assert operation.fields == sent - BESIDE_THE_WIRE
