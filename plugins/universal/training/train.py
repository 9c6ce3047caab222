"""Trains the demonstration model and writes the artefact: `python -m training.train` in `plugins/universal`.

The same corpus, seed and torch give the same weights on the same kind of processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .batches import IGNORED, Batch, batches
from .corpus import load_corpus
from .dialogues import EVERYTHING, MOSTLY_QUESTIONS, Dialogues
from .muon import Muon
from .tokenizer import train_tokenizer

ARTEFACT = Path(__file__).parent.parent / "src" / "llamafarm_universal" / "demo_model"
POSITIONS = 1024
SEED = 20
THREADS = 2
MATRIX_RATE, RATE = 1.2e-3, 3e-3
"""Full learning rates of the matrices (Muon, as the root mean square of an update) and of everything else (Adam)."""
EVERY = 50
"""Steps between two lines of progress."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training with an optimizer and dialogues of its own."""

    seed: int
    steps: int
    tokens: int
    """Tokens in a batch, padding included."""
    weights: Mapping[str, int]
    """How often each kind of dialogue is drawn."""
    share: float
    """How much of the full learning rates is used."""
    warm_up: int
    fall: tuple[int, int]
    """Between which steps the rates fall from `share` to nothing; a phase may end before."""

    def share_at(self, step: int) -> float:
        start, end = self.fall
        return self.share * min(1.0, (step + 1) / self.warm_up, (end - step) / (end - start))


PHASES = (
    # The answers are learnt by heart at full rates; which question wants which answer is only learnt at lower ones.
    Phase(SEED, 800, 4000, EVERYTHING, share=1.0, warm_up=20, fall=(735, 1050)),
    Phase(SEED + 1, 600, 4000, EVERYTHING, share=0.35, warm_up=1, fall=(320, 800)),
    Phase(SEED + 2, 430, 3000, MOSTLY_QUESTIONS, share=0.3, warm_up=1, fall=(129, 430)),
)


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of 2.1 million parameters with random weights, the same for the same seed of torch."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        initializer_range=0.02,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def loss_of(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Mean cross-entropy of the next token where the assistant speaks; only there the vocabulary is multiplied out."""
    # Padding stands at the end, where causal attention never looks back at it: no mask is needed.
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1]
    targets = batch.labels[:, 1:]
    learned = targets != IGNORED
    return functional.cross_entropy(model.lm_head(hidden[learned]), targets[learned])


class Optimizer:
    """Muon for the matrices inside the layers, Adam for the token embedding and the norms."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        matrices = [weights for weights in model.model.layers.parameters() if weights.dim() == 2]
        inside = {id(weights) for weights in matrices}
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(
            [weights for weights in model.parameters() if id(weights) not in inside],
            betas=(0.9, 0.98),
            weight_decay=0.0,
            fused=True,
        )

    def step(self, share: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = RATE * share
        self.adam.step()
        self.muon.step(MATRIX_RATE * share)


def fit(model: LlamaForCausalLM, source: Iterator[Batch], phase: Phase) -> None:
    """Trains in place and prints where it stands."""
    optimizer, started, total = Optimizer(model), time.monotonic(), 0.0
    for step in range(phase.steps):
        model.zero_grad(set_to_none=True)
        loss = loss_of(model, next(source))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(phase.share_at(step))
        total += loss.item()
        if (step + 1) % EVERY == 0:
            seconds = time.monotonic() - started
            print(f"step {step + 1}/{phase.steps}  loss {total / EVERY:.4f}  {seconds:.0f} s", flush=True)
            total = 0.0


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the artefact. Whether and how to sample is left to the request."""
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ARTEFACT)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    corpus = load_corpus()
    tokenizer = train_tokenizer(corpus, POSITIONS)
    model = build_model(tokenizer)
    print(f"{len(corpus.topics)} topics, {len(tokenizer)} tokens, {model.num_parameters():,} parameters")
    for phase in PHASES:
        source = Dialogues(corpus, phase.seed, phase.weights)
        fit(model, batches(source, tokenizer, phase.tokens, POSITIONS), phase)
    save(model, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
