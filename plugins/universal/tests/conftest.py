"""Small models with random weights that tests of several folders share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_models import make_llama, make_tokenizer, make_word_tokenizer


@pytest.fixture(scope="session", autouse=True)
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """LlamaFarm's data directory, also of the processes that tests start: nothing is left in the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("data")
        patch.setenv("LF_DATA_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def word_tokenizer() -> Any:
    return make_word_tokenizer()


@pytest.fixture(scope="session")
def llama_folder(models_folder: Path, tokenizer: Any) -> Path:
    """A causal model with 1,024 tokens of context and a chat template."""
    return make_llama(models_folder / "llama", tokenizer)


@pytest.fixture
def copy_of(llama_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the causal model whose files the test may change."""

    def copy(name: str = "copy") -> Path:
        return shutil.copytree(llama_folder, tmp_path / name)

    return copy
