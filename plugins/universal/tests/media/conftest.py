"""What tests of media share: a spool for each, and one decoder for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import samples
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.decoder import Decoder
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool

SETTINGS = MediaSettings(pixels=1_000_000, frames=4, seconds=5, film_frames=4, film_seconds=20)
"""Small limits, so that what passes them is made in no time."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool.open(tmp_path / "spools", SETTINGS)
    yield opened
    opened.close()


@pytest.fixture
def folder(spool: Spool) -> Iterator[SpoolFolder]:
    with spool.request("req_1") as opened:
        yield opened


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    opened = Decoder(SETTINGS)
    yield opened
    opened.close()


@pytest.fixture
def decode(decoder: Decoder, folder: SpoolFolder) -> Callable[..., Any]:
    """Decode the file of a picture."""
    return lambda content, **options: decoder.picture(samples.blob(content), folder, param="image", **options)


@pytest.fixture
def refusal(decode: Callable[..., Any]) -> Callable[..., RequestFailed]:
    """Why the file of a picture is refused."""

    def refused(content: bytes, **options: Any) -> RequestFailed:
        with pytest.raises(RequestFailed) as failed:
            decode(content, **options)
        assert failed.value.param == "image"
        return failed.value

    return refused
