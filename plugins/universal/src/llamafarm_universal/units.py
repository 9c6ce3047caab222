"""Numbers as people read them."""

from __future__ import annotations


def readable(count: float) -> str:
    """Bytes, for people."""
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} KB"
