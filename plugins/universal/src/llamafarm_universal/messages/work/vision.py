"""Works of models that look at pictures. Each has one Finished, whose value is a tuple: an item for each picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from llamafarm_universal.messages.blob import Blob

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself

PartKind = Literal["semantic", "instance", "panoptic"]


@dataclass(frozen=True)
class PicturesWork:
    """What all have in common. folder: of the request, where pictures are decoded and large results are written."""

    operation: ClassVar[str]
    answers: ClassVar[int] = 1

    pictures: tuple[Blob, ...]
    folder: SpoolFolder


@dataclass(frozen=True)
class ClassifyPictures(PicturesWork):
    """The classes of pictures, of those that the model was trained on. top: how many. Items: tuples of `Label`."""

    operation: ClassVar[str] = "classify_pictures"

    top: int = 5


@dataclass(frozen=True)
class LabelPictures(PicturesWork):
    """Which of the request's own labels fit a picture. Items: tuples of `Label`, all of them, the best one first.

    template: the text that is compared with the picture, with `{}` for the label.
    """

    operation: ClassVar[str] = "label_pictures"

    labels: tuple[str, ...] = ()
    template: str = "This is a photo of {}."


@dataclass(frozen=True)
class EmbedPictures(PicturesWork):
    """Vectors of pictures; per_patch: of each patch, row by row. Items: `Features`."""

    operation: ClassVar[str] = "embed_pictures"

    per_patch: bool = False


@dataclass(frozen=True)
class DetectObjects(PicturesWork):
    """Objects of at least that score; None: what is usual for the model. Items: `Found`.

    labels: what is looked for, by a model that takes any words.
    """

    operation: ClassVar[str] = "detect_objects"

    labels: tuple[str, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True)
class SegmentPictures(PicturesWork):
    """Pictures divided into parts. Items: `PictureParts`. kind: None is what the model does, the finest where it has a
    choice. threshold: of the scores of things."""

    operation: ClassVar[str] = "segment_pictures"

    kind: PartKind | None = None
    threshold: float = 0.5


@dataclass(frozen=True)
class EstimateDepth(PicturesWork):
    """How far away each pixel is. Items: `Depth`."""

    operation: ClassVar[str] = "estimate_depth"


@dataclass(frozen=True)
class CaptionPictures(PicturesWork):
    """Pictures in words. Items: texts. prompt: how each begins. max_tokens: how many are added to that."""

    operation: ClassVar[str] = "caption_pictures"

    prompt: str = ""
    max_tokens: int = 50


@dataclass(frozen=True)
class Label:
    """A class, and how likely it is: from 0 to 1."""

    label: str
    score: float


@dataclass(frozen=True)
class Features:
    """shape: of the vectors, (dimensions,) or (patches, dimensions). vectors: as little-endian float32 bytes."""

    shape: tuple[int, ...]
    vectors: Blob


@dataclass(frozen=True)
class Object:
    """box: left, upper, right and lower end, in pixels of the picture."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """The objects in a picture, the likeliest first. width, height: of the picture, in pixels."""

    width: int
    height: int
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class PicturePart:
    """A part of a picture. score: None where the model gives none. mask: a PNG, white where the part is."""

    label: str
    score: float | None
    mask: Blob


@dataclass(frozen=True)
class PictureParts:
    width: int
    height: int
    kind: PartKind
    segments: tuple[PicturePart, ...]


@dataclass(frozen=True)
class Depth:
    """depth: a PNG, grey in 16 bits: 0 stands for the number `least` of the model, 65535 for `most`."""

    width: int
    height: int
    least: float
    most: float
    depth: Blob
