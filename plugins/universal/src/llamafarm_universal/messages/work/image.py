"""Works of models that draw. Each has a Finished for every picture, whose value is a Blob: the picture's file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from llamafarm_universal.messages.blob import Blob

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself

ImageFormat = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True)
class Drawing:
    """How pictures are drawn. None: as the model's pipeline does by itself.

    width, height: in pixels. steps: of denoising. guidance_scale: how closely the prompt is followed. scheduler: the
    name of one that fits the pipeline. seed: of the first picture; each further one has the next number. format,
    quality: of the files; quality from 1 to 100, for formats that lose something. previews: how
    many unfinished pictures are shown of each, at most.
    """

    width: int | None = None
    height: int | None = None
    negative_prompt: str | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    seed: int = 0
    format: ImageFormat = "png"
    quality: int | None = None
    previews: int = 0


@dataclass(frozen=True)
class DrawImage:
    """Pictures of what a text says. n: how many."""

    operation: ClassVar[str] = "draw_image"

    prompt: str
    n: int = 1
    drawing: Drawing = field(default_factory=Drawing)

    @property
    def answers(self) -> int:
        return self.n


@dataclass(frozen=True)
class EditImage:
    """A picture changed as a text says.

    mask: where it is transparent, or white if nothing of it is, the picture is changed; None: where the picture itself
    is transparent, else everywhere. strength: from 0, as it is, to 1, wholly anew. folder: of the request, where its
    pictures are decoded.
    """

    operation: ClassVar[str] = "edit_image"

    prompt: str
    image: Blob
    mask: Blob | None = None
    strength: float | None = None
    n: int = 1
    drawing: Drawing = field(default_factory=Drawing)
    folder: SpoolFolder | None = None

    @property
    def answers(self) -> int:
        return self.n


@dataclass(frozen=True)
class VaryImage:
    """Pictures like a given one; see EditImage."""

    operation: ClassVar[str] = "vary_image"

    image: Blob
    strength: float | None = None
    n: int = 1
    drawing: Drawing = field(default_factory=Drawing)
    folder: SpoolFolder | None = None

    @property
    def answers(self) -> int:
        return self.n
