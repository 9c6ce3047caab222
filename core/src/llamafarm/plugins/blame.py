"""Who is at fault when a plugin raises what it should not: readers get a name instead of a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from llamafarm.errors import LlamaFarmError

log = logging.getLogger(__name__)


@contextmanager
def blaming(what: str, kind: type[LlamaFarmError], *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Raise `kind`, naming `what`, for every exception that is not a LlamaFarmError; the traceback goes to the log.

    but: kinds of exceptions that are nobody's fault.
    """
    try:
        yield
    except LlamaFarmError:
        raise
    except Exception as error:
        if isinstance(error, but):
            raise
        log.debug("%s failed.", what, exc_info=True)
        raise kind(
            f"{what} failed: {type(error).__name__}: {error}",
            hint="This is a defect of the plugin, not of the request; `--debug` shows where.",
        ) from error
