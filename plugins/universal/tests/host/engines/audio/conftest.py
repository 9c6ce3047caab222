"""Small models of sound with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_models import RATE, SECONDS, make_whisper, noise
from listening import Listening


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("models") / "whisper", seed=14)


@pytest.fixture(scope="module")
def whisper(whisper_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    made = Listening(whisper_folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def recording() -> np.ndarray[Any, Any]:
    """Noise that swells and fades, of five windows that are all full.

    In the rest of a window the pipeline reads on where the recording has ended, if the model does not end there.
    """
    window = SECONDS * RATE
    return noise(8, seed=1)[: window + 4 * (window - 2 * (window // 6))]
