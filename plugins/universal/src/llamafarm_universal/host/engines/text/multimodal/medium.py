"""The pictures and sounds of one prompt, as a model takes them. Knows no torch but by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Arrays = Mapping[str, NDArray[Any]]

_NAME_BYTES = 8


@dataclass(eq=False)
class Medium:
    """What a model sees, or hears, at once: a picture, or several that cannot be told apart.

    tokens: the ids that it is seen with. offsets: those among them that its vectors stand for. places: where these are
    in the prompt. digest: of all that the model is given. arrays: that. vectors: what the model makes of it, of shape
    [1 + layers, places, size], from when it has been seen until it has been read.
    """

    tokens: tuple[int, ...]
    offsets: tuple[int, ...]
    places: tuple[int, ...]
    digest: bytes
    arrays: Arrays = field(repr=False)
    vectors: Tensor | None = field(default=None, repr=False)

    def is_within(self, begin: int, end: int) -> bool:
        """Whether any of its places is among those tokens of the prompt."""
        return self.places[0] < end and begin <= self.places[-1]

    def names(self) -> Iterator[int]:
        """A number for each place, which no token has, and no place of another medium."""
        for number in range(len(self.places)):
            name = blake2b(self.digest + number.to_bytes(4, "big"), digest_size=_NAME_BYTES).digest()
            yield -1 - (int.from_bytes(name, "big") >> 1)


@dataclass(eq=False)
class MediaPrompt:
    """A prompt with media, shared by all answers to it.

    tokens: its ids. media: in their order. positions: of each token on each axis, where the model counts them
    otherwise than one after the other: [axes, tokens]. inputs: all that the processor has made of the prompt, for a
    model that is given it as a whole. looks_both_ways: whether the tokens of a picture look at one another, those that
    come later too.
    """

    tokens: list[int]
    media: tuple[Medium, ...]
    positions: list[list[int]] | None = None
    inputs: Arrays = field(default_factory=dict, repr=False)
    looks_both_ways: bool = False

    def __post_init__(self) -> None:
        places = sorted(place for medium in self.media for place in medium.places) if self.looks_both_ways else []
        self._pieces = [(piece[0], piece[-1] + 1) for piece in runs(places)]
        self._names = list(self.tokens)
        for medium in self.media:
            for place, name in zip(medium.places, medium.names(), strict=True):
                self._names[place] = name
        self._shift = max(map(max, self.positions)) + 1 - len(self.tokens) if self.positions else 0

    @property
    def has_media(self) -> bool:
        return bool(self.media or self.inputs)

    def named(self, tokens: Sequence[int]) -> Sequence[int]:
        """A text that begins with the prompt, with names in the places of media: equal ones stand for equal texts."""
        return _Named(self._names, tokens)

    def within(self, begin: int, end: int) -> list[Medium]:
        """The media of which any place is among those tokens."""
        return [medium for medium in self.media if medium.is_within(begin, end)]

    def both_ways(self, begin: int, end: int) -> list[tuple[int, int]]:
        """The pieces whose tokens look at one another both ways, of which any is among those."""
        return [piece for piece in self._pieces if piece[0] < end and begin < piece[1]]

    def uncut(self, begin: int, count: int) -> int:
        """About so many tokens that can be read at once: what looks both ways is read as a whole."""
        for start, end in self._pieces:
            if start < begin + count < end:
                return start - begin if start > begin else end - begin
        return count

    def positions_of(self, axis: int, begin: int, end: int) -> list[int]:
        """The positions of tokens of a text that begins with the prompt, on an axis."""
        own = self.positions[axis][begin:end] if self.positions else list(range(begin, min(end, len(self.tokens))))
        return [*own, *(place + self._shift for place in range(max(begin, len(self.tokens)), end))]


def runs(places: Sequence[int]) -> list[Sequence[int]]:
    """Places that follow one another."""
    borders = [at for at, (before, place) in enumerate(pairwise(places), 1) if place != before + 1]
    return [places[begin:end] for begin, end in pairwise([0, *borders, len(places)]) if begin < end]


class _Named(Sequence[int]):
    """A text whose beginning is called otherwise."""

    def __init__(self, names: list[int], tokens: Sequence[int]) -> None:
        self._names = names
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._tokens)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, int):
            return self._names[index] if index < len(self._names) else self._tokens[index]
        begin, end, _ = index.indices(len(self._tokens))
        border = len(self._names)
        return [*self._names[begin:end], *self._tokens[max(begin, border) : end]]
