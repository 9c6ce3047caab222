"""Trains the demonstration model and writes the artefact: `python -m training.train` in `plugins/universal`.

The same corpus, seed and torch give the same weights on the same kind of processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .batches import IGNORED, Batch, steps
from .corpus import load_corpus, load_held_out, normalise
from .dialogues import Dialogues
from .muon import Muon
from .paraphrase import paraphrases
from .tokenizer import train_tokenizer

ARTEFACT = Path(__file__).parent.parent / "src" / "llamafarm_universal" / "demo_model"
POSITIONS = 1024
SEED = 20
THREADS = 2
STEPS = 3600
TOKENS = 4000
"""Tokens that one step learns from, padding left out."""
MATRIX_RATE, RATE = 4e-4, 2e-3
"""Full learning rates of the matrices (Muon, as the root mean square of an update) and of everything else (Adam)."""
WARM_UP, FALL = 20, 0.7
"""Steps until the rates are full, and the share of all steps, at the end, in which they fall to nothing."""
EVERY = 50
"""Steps between two lines of progress."""


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of 2.3 million parameters with random weights, the same for the same seed of torch."""
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


def learn(model: LlamaForCausalLM, batches: list[Batch]) -> float:
    """Adds up the gradients of one step; returns the mean cross-entropy of what the assistant says."""
    learned = sum(int((batch.labels[:, 1:] != IGNORED).sum()) for batch in batches)
    total = 0.0
    for batch in batches:
        loss = _loss(model, batch) / learned
        loss.backward()
        total += loss.item()
    return total


def _loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Summed cross-entropy where the assistant speaks; only there the vocabulary is multiplied out."""
    # Padding stands at the end, where causal attention never looks back at it: no mask is needed.
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1]
    targets = batch.labels[:, 1:]
    learned = targets != IGNORED
    return functional.cross_entropy(model.lm_head(hidden[learned]), targets[learned], reduction="sum")


def share_at(step: int, steps: int) -> float:
    """How much of the full learning rates is used: a linear warm-up, all, and a linear fall at the end."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / (steps * FALL))


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


def fit(model: LlamaForCausalLM, source: Iterator[list[Batch]], steps: int) -> None:
    """Trains in place and prints where it stands."""
    optimizer, started, total = Optimizer(model), time.monotonic(), 0.0
    for step in range(steps):
        model.zero_grad(set_to_none=True)
        total += learn(model, next(source))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(share_at(step, steps))
        if (step + 1) % EVERY == 0:
            print(f"step {step + 1}/{steps}  loss {total / EVERY:.4f}  {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the artefact. Whether and how to sample is left to the request."""
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--output", type=Path, default=ARTEFACT)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    corpus = load_corpus()
    held_out = load_held_out()
    never = {normalise(text) for text in [*held_out.unknown, *(question for _, question in held_out.questions)]}
    further = paraphrases(corpus, SEED, never)
    tokenizer = train_tokenizer(corpus, POSITIONS, chain.from_iterable(further.values()))
    model = build_model(tokenizer)
    asked = sum(len(topic.questions) for topic in corpus.topics.values())
    print(f"{len(corpus.topics)} topics, {asked} questions, {sum(map(len, further.values()))} paraphrases")
    print(f"{len(tokenizer)} tokens, {model.num_parameters():,} parameters", flush=True)
    fit(model, steps(Dialogues(corpus, SEED, further, never), tokenizer, TOKENS, POSITIONS), arguments.steps)
    save(model, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
