"""Works of encoders: texts and pictures in, numbers out. Each has one Finished, whose value it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from llamafarm_universal.messages.blob import Blob

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself

InputType = Literal["query", "document"]
Strategy = Literal["none", "simple", "first", "average", "max"]
"""How the tokens of a name become one entity. Source: Hugging Face's documents, "Token Classification"."""


@dataclass(frozen=True)
class Embed:
    """Vectors of inputs: texts, token ids or pictures. Value: little-endian float32 bytes, one for each input.

    dimensions: keep this many and normalise again. input_type: what the texts are, for models that have a prompt of
    their own for each; None is the author's default. folder: of the request, where its pictures are decoded.
    """

    operation: ClassVar[str] = "embed"
    answers: ClassVar[int] = 1

    inputs: tuple[str | tuple[int, ...] | Blob, ...]
    dimensions: int | None = None
    input_type: InputType | None = None
    folder: SpoolFolder | None = None


@dataclass(frozen=True)
class Score:
    """How well the two texts of each pair fit. Value: `Scores`."""

    operation: ClassVar[str] = "score"
    answers: ClassVar[int] = 1

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Scores:
    """The number of each pair.

    method: `cross-encoder`, a model that reads both texts of a pair together; `bi-encoder`, the cosine of two vectors.
    """

    values: tuple[float, ...]
    method: Literal["cross-encoder", "bi-encoder"]


@dataclass(frozen=True)
class Classify:
    """The classes of texts. Value: `Classes`.

    labels: classes of the request's own, for a model that says whether one text follows from another; template: the
    text that is to follow, with `{}` for the label; multi_label: each label is judged by itself. activation: False
    leaves the numbers as the model gives them.
    """

    operation: ClassVar[str] = "classify"
    answers: ClassVar[int] = 1

    inputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    template: str = "This example is {}."
    multi_label: bool = False
    activation: bool = True


@dataclass(frozen=True)
class Classes:
    """probs: for each input the number of each label, in the labels' order."""

    labels: tuple[str, ...]
    probs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class FindEntities:
    """The names in texts. Value: a tuple of `Entity` for each input."""

    operation: ClassVar[str] = "find_entities"
    answers: ClassVar[int] = 1

    inputs: tuple[str, ...]
    strategy: Strategy = "simple"


@dataclass(frozen=True)
class Entity:
    """A name in a text. start, end: in characters; `end` is behind it. score: from 0 to 1."""

    label: str
    start: int
    end: int
    score: float
