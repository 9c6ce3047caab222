"""What is seen in pictures: classes, features, objects, segments, depth and captions.

Source: Hugging Face's inference tasks "Image Classification", "Zero-Shot Image Classification", "Image Feature
Extraction", "Object Detection", "Zero-Shot Object Detection", "Image Segmentation", "Depth Estimation" and "Image to
Text"; the way pictures are named is that of embeddings, and rows with an `index` are OpenAI's.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from llamafarm.wire.upload import MediaInput


class _PicturesRequest(TypedDict):
    """Pictures to be looked at.

    input: one picture or several: a data URL, base64 or an address, as far as the runtime takes it, as it is or as an
    object, `{"image": …}` or `{"type": "image_url", "image_url": {"url": …}}`.
    """

    input: MediaInput
    model: NotRequired[str]


class PictureClassesRequest(_PicturesRequest):
    """Pictures to be sorted into the classes of a model. top_n: how many classes are told of each picture."""

    top_n: NotRequired[int | None]


class ZeroShotRequest(_PicturesRequest):
    """Pictures to be compared with `candidate_labels`. hypothesis_template: a text with `{}` for the label."""

    candidate_labels: NotRequired[list[str] | None]
    hypothesis_template: NotRequired[str | None]


class FeaturesRequest(_PicturesRequest):
    """Pictures as vectors. per_patch: one for each patch of the picture instead of one for the whole.

    encoding_format: lists of floats, or base64 of their little-endian float32 bytes.
    """

    per_patch: NotRequired[bool | None]
    encoding_format: NotRequired[Literal["float", "base64"] | None]


class DetectRequest(_PicturesRequest):
    """Pictures in which objects are to be found. threshold: of their scores, from 0 to 1.

    candidate_labels: what is looked for, by a model that takes any words.
    """

    candidate_labels: NotRequired[list[str] | None]
    threshold: NotRequired[float | None]


class SegmentRequest(_PicturesRequest):
    """Pictures to be divided into parts. threshold: of the scores of things, from 0 to 1.

    kind: `semantic` parts are all that is of one class; `instance` parts are single things; `panoptic` are both.
    """

    kind: NotRequired[Literal["semantic", "instance", "panoptic"] | None]
    threshold: NotRequired[float | None]


class DepthRequest(_PicturesRequest):
    """Pictures whose depth is to be estimated."""


class CaptionRequest(_PicturesRequest):
    """Pictures to be described in words. prompt: how the description begins. max_tokens: how long it may get."""

    prompt: NotRequired[str | None]
    max_tokens: NotRequired[int | None]


class Label(TypedDict):
    """A class, and how likely it is, from 0 to 1."""

    label: str
    score: float


class PictureClasses(TypedDict):
    """What a picture shows: the likeliest label and its score, and those of `classes`, the likeliest first."""

    index: int
    label: str
    score: float
    classes: list[Label]


class Features(TypedDict):
    """The vector of a picture, or one for each patch: base64 holds them one behind the other, as `shape` says."""

    index: int
    embedding: list[float] | list[list[float]] | str
    shape: list[int]


class Box(TypedDict):
    """In pixels from the left upper corner of the picture."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class Object(Label):
    """A thing in a picture, and where it is."""

    box: Box


class Objects(TypedDict):
    """What is in a picture of that many pixels, the likeliest first."""

    index: int
    width: int
    height: int
    objects: list[Object]


class Segment(TypedDict):
    """A part of a picture. score: null where the model gives none. mask: a PNG as base64, white where the part is."""

    label: str
    score: float | None
    mask: str


class Segments(TypedDict):
    """The parts of a picture of that many pixels."""

    index: int
    width: int
    height: int
    kind: str
    segments: list[Segment]


class Depth(TypedDict):
    """The depth of each pixel. depth: a PNG as base64, grey in 16 bits: 0 is `least`, 65535 is `most`.

    Whether these are metres, or are larger for what is nearer, is the model's own affair.
    """

    index: int
    width: int
    height: int
    least: float
    most: float
    depth: str


class Caption(TypedDict):
    """A picture in words."""

    index: int
    text: str


class _PicturesResponse(TypedDict):
    """One row for each picture, in the order of the request. usage: in patches of pictures."""

    object: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]


class PictureClassesResponse(_PicturesResponse):
    """What each picture shows."""

    data: list[PictureClasses]


class FeaturesResponse(_PicturesResponse):
    """The vectors of each picture."""

    data: list[Features]


class DetectResponse(_PicturesResponse):
    """The objects in each picture."""

    data: list[Objects]


class SegmentResponse(_PicturesResponse):
    """The parts of each picture."""

    data: list[Segments]


class DepthResponse(_PicturesResponse):
    """The depth of each picture."""

    data: list[Depth]


class CaptionResponse(_PicturesResponse):
    """Each picture in words."""

    data: list[Caption]
