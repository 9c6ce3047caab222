"""What is asked about pictures over HTTP: the shapes of requests and answers, with a scripted engine host."""

from __future__ import annotations

import base64
import os

import pytest
from pictures import noise, png
from runtime_servers import wait_until

USAGE = {"prompt_tokens": 9, "total_tokens": 9}
MODEL = "echo/model"
PICTURE, OTHER = png(noise(0)), png(noise(1, 40, 40))
REQUESTS = ["classify", "zero-shot", "features", "detect", "segment", "depth", "caption"]
NEEDED = {"zero-shot": {"candidate_labels": ["cow", "hen"]}}


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def ask(server, name, **fields):
    body = {"model": MODEL, "input": coded(PICTURE), **NEEDED.get(name, {}), **fields}
    return server.http.post(f"/v1/vision/{name}", json=body)


def rows(server, name, **fields):
    answer = ask(server, name, **fields)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    data = told.pop("data")
    assert told == {"object": "list", "model": MODEL, "usage": USAGE}
    return data


@pytest.mark.parametrize(
    "written",
    [
        coded(PICTURE),
        f"data:image/png;base64,{coded(PICTURE)}",
        {"image": coded(PICTURE)},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded(PICTURE)}"}},
    ],
)
def test_a_picture_is_named_as_for_embeddings(shared, written):
    for given in (written, [written]):
        [row] = rows(shared, "depth", input=given)
        assert row["width"] == len(PICTURE)


def test_each_picture_has_a_row_in_the_order_of_the_request(shared):
    told = rows(shared, "depth", input=[coded(OTHER), {"image": coded(PICTURE)}])
    assert [(row["index"], row["width"]) for row in told] == [(0, len(OTHER)), (1, len(PICTURE))]


def test_classes_come_with_the_best_one_apart(shared):
    [row] = rows(shared, "classify", top_n=2)
    classes = [{"label": "class 0", "score": 0.5}, {"label": "class 1", "score": 0.5}]
    assert row == {"index": 0, "label": "class 0", "score": 0.5, "classes": classes}
    assert len(rows(shared, "classify")[0]["classes"]) == 5


def test_labels_of_ones_own_are_put_into_the_sentence(shared):
    [row] = rows(shared, "zero-shot", hypothesis_template="a {}")
    assert row["classes"] == [{"label": "a cow", "score": 0.25}, {"label": "a hen", "score": 0.25}]
    assert rows(shared, "zero-shot")[0]["label"] == "This is a photo of cow."


def test_features_are_floats_or_their_bytes(shared):
    size = float(len(PICTURE))
    assert rows(shared, "features") == [{"index": 0, "embedding": [size, 0.5, 1.0, -1.0], "shape": [4]}]
    [patches] = rows(shared, "features", per_patch=True)
    assert patches == {"index": 0, "embedding": [[size, 0.5], [1.0, -1.0]], "shape": [2, 2]}
    [written] = rows(shared, "features", encoding_format="base64")
    assert len(base64.b64decode(written["embedding"])) == 16


def test_objects_have_boxes_in_pixels(shared):
    box = {"xmin": 1.0, "ymin": 2.0, "xmax": 3.5, "ymax": 4.0}
    [row] = rows(shared, "detect")
    objects = [{"label": "cow", "score": 0.75, "box": box}]
    assert row == {"index": 0, "width": len(PICTURE), "height": 7, "objects": objects}
    [named] = rows(shared, "detect", candidate_labels=["a cat", "a dog"], threshold=0.3)
    assert named["objects"] == [{"label": "a cat or a dog", "score": 0.3, "box": box}]


def test_parts_have_masks_however_large_they_are(shared):
    [row] = rows(shared, "segment", kind="panoptic", threshold=0.25)
    [part] = row.pop("segments")
    assert row == {"index": 0, "width": len(PICTURE), "height": 7, "kind": "panoptic"}
    assert (part["label"], part["score"]) == ("cow", 0.25)
    assert base64.b64decode(part["mask"]) == bytes(range(256)) * 2000
    wait_until(lambda: not any(files for _, _, files in os.walk(shared.runtime.spool.path)), "the spool is empty")


def test_depth_says_what_its_shades_mean(shared):
    [row] = rows(shared, "depth")
    size = {"width": len(PICTURE), "height": 7}
    assert row == {"index": 0, **size, "least": -1.5, "most": 2.5, "depth": coded(b"png")}


def test_captions_are_texts(shared):
    assert rows(shared, "caption") == [{"index": 0, "text": f"{len(PICTURE)}, in 50"}]
    assert rows(shared, "caption", prompt="a ", max_tokens=7)[0]["text"] == f"a {len(PICTURE)}, in 7"


def post_form(server, name, *parts):
    """As curl's `-F` does it: a part for each field, those with files with their names."""
    return server.http.post(f"/v1/vision/{name}", files=[("model", (None, MODEL)), *parts])


@pytest.mark.parametrize("name", REQUESTS)
def test_a_form_with_a_file_is_the_same_request(shared, name):
    labels = [("candidate_labels", (None, label)) for label in NEEDED.get(name, {}).get("candidate_labels", [])]
    answer = post_form(shared, name, ("file", ("cat.png", PICTURE, "image/png")), *labels)
    assert answer.json() == ask(shared, name).json()


def test_a_form_holds_several_files_and_whatever_else_may_be_said(shared):
    files = [("file", ("a", OTHER)), ("file", ("b", PICTURE)), ("file", (None, coded(OTHER)))]
    told = post_form(shared, "depth", *files).json()["data"]
    assert [row["width"] for row in told] == [len(OTHER), len(PICTURE), len(OTHER)]
    fields = [("candidate_labels", (None, "a cat")), ("threshold", (None, "0.3"))]
    [named] = post_form(shared, "detect", ("file", ("a", PICTURE)), *fields).json()["data"]
    assert (named["objects"][0]["label"], named["objects"][0]["score"]) == ("a cat", 0.3)
    wait_until(lambda: not any(files for _, _, files in os.walk(shared.runtime.spool.path)), "the spool is empty")


@pytest.mark.parametrize(("parts", "status", "param"), [
    ([], 400, "input"), ([("file", ("a", b"")), ("top_n", (None, "0"))], 400, "top_n"),
    ([("picture", ("a", PICTURE))], 400, "picture"), ([("file", ("a", PICTURE))] * 17, 400, "file"),
    ([("file", ("a", bytes(21 * 2**20)))], 413, "file"), ([("file", (None, "file:///etc/passwd"))], 400, "input[0]"),
])  # fmt: skip
def test_what_is_wrong_in_a_form_is_named(shared, parts, status, param):
    answer = post_form(shared, "classify", *parts)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize(("name", "fields", "param"), [
    ("classify", {"input": []}, "input"), ("classify", {"input": 5}, "input"), ("classify", {"input": ""}, "input"),
    ("classify", {"input": [{"text": "a cow"}]}, "input[0]"), ("classify", {"input": [coded(PICTURE)] * 129}, "input"),
    ("classify", {"input": "no base64!"}, "input"), ("classify", {"input": "file:///etc/passwd"}, "input"),
    ("classify", {"top_n": 0}, "top_n"), ("classify", {"threshold": 0.5}, "threshold"),
    ("zero-shot", {"candidate_labels": None}, "candidate_labels"), ("features", {"per_patch": "yes"}, "per_patch"),
    ("detect", {"threshold": 2}, "threshold"), ("detect", {"candidate_labels": [""]}, "candidate_labels[0]"),
    ("segment", {"kind": "fine"}, "kind"), ("caption", {"max_tokens": 0}, "max_tokens"),
    ("caption", {"max_tokens": 10_000}, "max_tokens"), ("depth", {"input": None}, "input"),
])  # fmt: skip
def test_a_wrong_field_is_named(shared, name, fields, param):
    answer = ask(shared, name, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("name", REQUESTS)
def test_what_the_host_refuses_is_a_status(shared, name):
    refused = ask(shared, name, model="refuse/not_supported")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "operation_not_supported")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_field_without_effect_is_named(shared, name):
    assert ask(shared, name, user="me").headers["x-lf-ignored"] == "user"
