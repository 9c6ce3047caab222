"""LF_TRACE_PLUGINS=1: every step of discovery and every hook call on stderr, with its time in milliseconds.

    plugins     1.9 ms  read the entry points of llamafarm.plugins
    plugins     0.2 ms  check what openai (llamafarm-openai-compat 0.1.0) requires
    plugins    11.4 ms  import llamafarm_openai_compat.plugin
    plugins     0.2 ms  register openai (llamafarm-openai-compat 0.1.0)
    plugins     0.1 ms  openai (llamafarm-openai-compat 0.1.0): register_providers()

A step that raises is told with what it raised. A step that is the first to need some library is told with its import.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

TRACE = "LF_TRACE_PLUGINS"

_OFF = nullcontext()


def step(what: str) -> AbstractContextManager[None]:
    """A `with` around one step: its time and its end are printed where LF_TRACE_PLUGINS asks for it."""
    return _timed(what) if os.environ.get(TRACE, "") not in ("", "0") else _OFF


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    ended = ""
    try:
        yield
    except BaseException as error:
        ended = f": {type(error).__name__}: {error}"
        raise
    finally:
        took = (time.perf_counter() - begun) * 1000
        print(f"plugins {took:8.1f} ms  {what}{ended}", file=sys.stderr)  # noqa: T201 - what was asked for
