"""Who puts rows into a database: a process, and which of its openings."""

from __future__ import annotations

import os
import secrets

import psutil

SLACK_SECONDS = 2.0
"""By how much two readings of when a process began may differ: they follow the system's clock."""


def new_writer() -> str:
    """A name for an opening of this process."""
    return f"{os.getpid()}:{psutil.Process().create_time():.2f}:{secrets.token_hex(4)}"


def is_alive(writer: str) -> bool:
    """Whether the process of that writer is running."""
    try:
        pid, began, _ = writer.split(":")
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(began)) <= SLACK_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (ValueError, psutil.Error):
        return False
