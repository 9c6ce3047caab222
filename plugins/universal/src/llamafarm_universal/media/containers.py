"""Files that hold sounds and films, opened with PyAV: by one reader, with the codecs that belong there alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from llamafarm_universal.media.jobs import Refused

if TYPE_CHECKING:
    from av.container.input import InputContainer

log = logging.getLogger(__name__)


@contextmanager
def opened(path: str, reader: str, codecs: Sequence[str], what: str) -> Iterator[InputContainer]:
    """The container in a file. reader: FFmpeg's name of it. what: what the file is, for people.

    Raises Refused, also for whatever FFmpeg stumbles over while the container is open: that is the file's fault.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    options = {"codec_whitelist": ",".join(codecs)}
    try:
        with (
            Path(path).open("rb") as file,
            av.open(file, "r", format=reader, options=options, io_open=_refuse_opening) as container,
        ):
            yield container
    except (Refused, MemoryError):
        raise
    except Exception as error:
        log.info("A %s cannot be decoded.", what, exc_info=True)
        raise Refused(f"The {what} is broken, or breaks off: it cannot be decoded.") from error


def _refuse_opening(*_: Any) -> NoReturn:
    raise Refused("The sound names other files, which are not read.")
