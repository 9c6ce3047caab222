"""Engines that read whole texts and pictures in batches, made to fail."""

from __future__ import annotations

from typing import Any

import pytest


def break_forwards(engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every forward fail in which a row of that request is."""
    [job] = [job for job in engine._jobs if job.request_id == request_id]
    encode = engine._encoder.encode

    def broken(rows: Any) -> Any:
        if any(row is own for row in rows for own in job.rows.distinct):
            raise RuntimeError("broken")
        return encode(rows)

    monkeypatch.setattr(engine._encoder, "encode", broken)
