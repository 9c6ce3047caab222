"""What the Universal Runtime expects of every engine, held by this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llamafarm_bell_engine.melody import Ring
from llamafarm_universal.testing import EngineContract

BELL = {
    "model_type": "bell",
    "rate": 8000,
    "seconds": 0.5,
    "hertz": 440,
    "partials": [{"ratio": 1, "level": 1, "decay": 0.2}],
}


class TestBell(EngineContract):
    engine = "llamafarm_bell_engine.spec:ENGINE"
    works = [Ring(("A4",), 0.1)]
    long = Ring(("C5", "E5", "G5", "-") * 6, 1.0)  # more than 256 KiB of sound
    wrong = [Ring(("H4",)), Ring(("A9",)), Ring(()), Ring(("A4",) * 100, 1.0)]
    requests = {"ring": {"notes": "C5 E5 G5", "beat": 0.1}}

    def make_model(self, folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps(BELL))

    def weights(self, engine: Any) -> list[Any]:
        return [engine._strike]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        ring = engine.ring

        def cracked(melody: Any, start: int, speed: float) -> None:
            if melody.request_id == request_id:
                raise RuntimeError("the bell has a crack")
            ring(melody, start, speed)

        monkeypatch.setattr(engine, "ring", cracked)
