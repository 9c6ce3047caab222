"""Broken and hostile pictures, sounds and films, made from good ones; the same for the same seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import films
import samples
from llamafarm_universal.media.formats import Kind


@dataclass(frozen=True)
class Case:
    """name: what was done to it. kind: what it is said to be. must_fail: whether nothing good can come of it."""

    name: str
    kind: Kind
    content: bytes
    must_fail: bool = False


def good() -> dict[tuple[Kind, str], bytes]:
    """What the cases are made from."""
    pictures = {("picture", kind): samples.picture(kind, 40, 30) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP")}
    coders = (("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("webm", "libopus"), ("ipod", "aac"))
    sounds = {("sound", container): samples.coded(container, codec, 0.5) for container, codec in coders}
    shown = {("film", container): films.film(container=container) for container in films.CODECS}
    return pictures | sounds | shown | {("sound", "wav"): samples.wav(0.5)}  # type: ignore[return-value]


def cases(seed: int, count: int) -> Iterator[Case]:
    """`count` cases, those that are no mutation first."""
    chance = random.Random(seed)
    made = good()
    fixed = [*hostile(), *empty(), *swapped(made)]
    yield from fixed[:count]
    for _ in range(count - len(fixed)):
        (kind, name), content = chance.choice(list(made.items()))
        mutation = chance.choice(MUTATIONS)
        yield Case(f"{name} {mutation.__name__}", kind, mutation(content, chance))


def hostile() -> Iterator[Case]:
    """Bombs, and files that ask for others."""
    yield Case("many pixels promised", "picture", samples.png_head(2**31 - 1, 2**31 - 1), must_fail=True)
    yield Case("many pixels packed", "picture", samples.png_bomb(3000), must_fail=True)
    yield Case("a long thin picture", "picture", samples.png_head(1, 2**31 - 1), must_fail=True)
    yield Case("no pixels", "picture", samples.png_head(0, 10), must_fail=True)
    yield Case("many frames", "picture", samples.animation(50), must_fail=True)
    yield Case("a vector graphic", "picture", b"<svg><image href='file:///etc/passwd'/></svg>", must_fail=True)
    yield Case("PostScript", "picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", must_fail=True)
    yield Case("a play list", "sound", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", must_fail=True)
    yield Case("a list of files", "sound", b"ffconcat version 1.0\nfile '/etc/passwd'\n", must_fail=True)
    yield Case("a film without sound", "sound", samples.film(), must_fail=True)
    yield Case("more seconds than may be", "sound", samples.wav(6.0), must_fail=True)
    yield Case("no samples a second", "sound", _with_rate(0), must_fail=True)
    yield Case("endless samples a second", "sound", _with_rate(2**32 - 1), must_fail=True)


def empty() -> Iterator[Case]:
    yield Case("nothing", "picture", b"", must_fail=True)
    yield Case("nothing", "sound", b"", must_fail=True)
    yield Case("nothing", "film", b"", must_fail=True)
    yield Case("no samples", "sound", samples.wav(0.0), must_fail=True)


def swapped(made: dict[tuple[Kind, str], bytes]) -> Iterator[Case]:
    """Good files of the wrong kind."""
    for (kind, name), content in made.items():
        yield Case(f"{name} in place of the other kind", _other(kind), content, must_fail=True)


def _other(kind: Kind) -> Kind:
    return "sound" if kind == "picture" else "picture"


def _with_rate(rate: int) -> bytes:
    content = bytearray(samples.wav(0.1))
    struct.pack_into("<I", content, 24, rate)
    return bytes(content)


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content))]


def flip(content: bytes, chance: random.Random) -> bytes:
    """Some bits are others."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def scramble_head(content: bytes, chance: random.Random) -> bytes:
    """Numbers of the head are the largest, or none."""
    changed = bytearray(content)
    at = chance.randrange(4, min(60, len(changed) - 4))
    changed[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80"])
    return bytes(changed)


def splice(content: bytes, chance: random.Random) -> bytes:
    """A part stands twice, or is gone."""
    start, end = sorted(chance.sample(range(len(content)), 2))
    return content[:end] + content[start:] if chance.random() < 0.5 else content[:start] + content[end:]


def noise(content: bytes, chance: random.Random) -> bytes:
    """Nothing of it is true but the first bytes."""
    return content[:16] + chance.randbytes(len(content))


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [cut, flip, scramble_head, splice, noise]
