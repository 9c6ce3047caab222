"""Models with random weights and a tokenizer of their own, for measuring speed: what they say means nothing.

`python benchmarks/models.py SHAPE FOLDER` writes one. The tokenizer is a byte-level BPE trained on this repository's
texts. Nothing in it ends an answer, so that every server goes on to the length that was asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "models"
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's."""
MERGES = 16_384
SPREAD = 0.05
"""Standard deviation of the weights: with transformers' 0.02, tied models say one token over and over."""


@dataclass(frozen=True)
class Shape:
    """What Qwen2's configuration calls by these names. tied: the head's weights are the embeddings."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool


SHAPES = {
    "tiny": Shape(2, 64, 128, 4, 2, 1024, tied=False),
    "26m": Shape(6, 512, 1536, 8, 2, 16_384, tied=True),
    "372m": Shape(24, 896, 4864, 14, 2, 16_384, tied=True),  # Qwen2 0.5B, with a smaller vocabulary
    "8b": Shape(32, 4096, 14_336, 32, 8, 128_256, tied=False),  # Llama 3.1 8B's
}


def folder_of(model: str) -> Path:
    """Return the folder of a model: one of SHAPES, written where it is not there yet, or a folder."""
    if model not in SHAPES:
        return Path(model).resolve()
    folder = BUILD / model
    if not (folder / ".written").exists():
        print(f"writing {folder}", file=sys.stderr, flush=True)
        # A process of its own gives all memory back, a GPU's too.
        subprocess.run([sys.executable, __file__, model, str(folder)], check=True)
    return folder


def write(shape: Shape, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=32_768,
        tie_word_embeddings=shape.tied,
        initializer_range=SPREAD,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer(shape.vocabulary).save_pretrained(folder)
    print(f"{model.num_parameters() / 1e6:.1f} million parameters", file=sys.stderr)
    (folder / ".written").touch()


def tokenizer(size: int, merges: int = MERGES) -> Any:
    """A tokenizer of exactly `size` tokens, all of which are text, so that whatever is generated can be counted.

    merges: how many of them are learned at most.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=min(size, merges), initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(texts(), trainer)
    written = json.loads(bpe.to_str())
    vocabulary = written["model"]["vocab"]
    further = (f"Ġ{number}" for number in count(10_000))  # never encoded, since no merge leads there
    while len(vocabulary) < size:
        vocabulary.setdefault(next(further), len(vocabulary))
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(written)), model_max_length=32_768)


def texts() -> Iterator[str]:
    """This repository's sources and pages."""
    for pattern in ("**/*.py", "**/*.md"):
        for folder in ("core", "plugins", "tests", "docs", "examples", "benchmarks"):
            for path in sorted((ROOT / folder).glob(pattern)):
                yield path.read_text("utf-8", errors="replace")


if __name__ == "__main__":
    write(SHAPES[sys.argv[1]], Path(sys.argv[2]))
