"""What is asked: the text of the command line, a file and a pipe, put together into one user message."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import click

MAX_FILE_BYTES = 4 * 1024 * 1024
QUIET_SECONDS = 2.0
"""How long reading standard input may take before it is said that it is being read."""


def question(text: str, files: tuple[Path, ...]) -> str:
    """Return text, files and piped input as one message, in this order; empty where there is none of them."""
    parts = [text, *map(read_file, files), piped()]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def read_file(file: Path) -> str:
    """The text of a file. Raises UsageError where it is no text, or too long for any model."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise click.UsageError(f"{file} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB: no model reads that much.")
    return decoded(file.read_bytes(), str(file))


def piped() -> str:
    """What stands in the pipe or redirected file; nothing where stdin is a terminal, closed or /dev/null."""
    if sys.stdin is None or sys.stdin.closed:
        return ""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return ""
    notice = threading.Timer(QUIET_SECONDS, click.echo, ["Reading standard input until its end …"], {"err": True})
    notice.daemon = True
    notice.start()
    try:
        return decoded(sys.stdin.buffer.read(), "The piped input")
    finally:
        notice.cancel()


def decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{name} is not UTF-8 text: byte {error.start} cannot be decoded.") from None
