"""How much faster is one client with a draft model, by how often that one is right?

The two are constructed, since nothing else says how often they agree: the model has random weights, and what all its
layers but the first few add is made small; its draft model has those few layers alone. The smaller the addition, the
more often they agree, from nearly always down to hardly ever. Answers with and without take turns in one process.
`python benchmarks/drafting.py`; it needs about 5 GB and some minutes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from copy import copy
from pathlib import Path
from typing import Any

import torch
from llamafarm_universal.device import this_machine
from llamafarm_universal.engine import Generate, Sampling, TextPrompt
from llamafarm_universal.host.engines.text.drafter import load_draft
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.host.engines.text.runner import runner_of
from llamafarm_universal.host.models.loader import read_weights, ready_weights
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from models import BUILD, SHAPES, folder_of
from transformers import AutoModelForCausalLM, AutoTokenizer

GRANT = 2**29
ACCEPTED, DRAFTED = "spec_decode_num_accepted_tokens", "spec_decode_num_draft_tokens"


def constructed(name: str, addition: float, layers: int) -> Path:
    """A model of the shape whose layers behind the first few add so much of what they would."""
    folder = BUILD / f"{name}-{layers}-{addition:g}"
    if not (folder / ".written").exists():
        model, tokenizer = _read(name)
        for layer in model.model.layers[layers:]:
            for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
                linear.weight.data.mul_(addition)
        _write(model, tokenizer, folder)
    return folder


def first_layers(name: str, layers: int) -> Path:
    """A model that is the first few layers of the shape."""
    folder = BUILD / f"{name}-first-{layers}"
    if not (folder / ".written").exists():
        model, tokenizer = _read(name)
        model.model.layers = model.model.layers[:layers]
        model.config.num_hidden_layers = layers
        model.config.layer_types = model.config.layer_types[:layers]
        _write(model, tokenizer, folder)
    return folder


def _read(name: str) -> tuple[Any, Any]:
    folder = folder_of(name)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16), AutoTokenizer.from_pretrained(folder)


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / ".written").touch()


def engines_of(folder: Path, draft: Path, given: argparse.Namespace) -> list[TextEngine]:
    """One without the draft model and one with it, of the same weights: a second load may find other forms faster."""
    settings = LoadSettings(
        device=given.device, dtype=given.dtype, quantization=given.quantization, draft_model=str(draft)
    )
    plan = make_plan(ModelRef(str(folder), settings), folder, this_machine(), Limits(), draft=draft)
    module, tokenizer = read_weights(plan, AutoModelForCausalLM)
    runner = runner_of(module, plan.device)
    weights = ready_weights(plan, module, tokenizer)
    return [TextEngine(weights, copy(runner), plan.limits, GRANT, each) for each in (None, load_draft(plan))]


def tokens_per_second(engine: TextEngine, work: Generate) -> float:
    """Behind the first token: what is measured is writing, not reading the prompt."""
    told: list[Any] = []
    engine.submit("answer", work, engine.prepare(work), told.append)
    while not any(type(event).__name__ == "Piece" for event in told):
        engine.step()
    began = time.perf_counter()
    while engine.step():
        pass
    assert work.sampling.max_tokens is not None
    return work.sampling.max_tokens / (time.perf_counter() - began)


def row(name: str, addition: float, given: argparse.Namespace) -> str:
    folder, draft = constructed(name, addition, given.layers), first_layers(name, given.layers)
    engines = engines_of(folder, draft, given)
    rates: list[list[float]] = [[], []]
    right = drafted = 0.0
    for number in range(given.answers + 1):
        prompt = tuple((number * 131 + place * 97) % 1_000 for place in range(given.prompt))
        sampling = Sampling(
            temperature=given.temperature,
            seed=number,
            max_tokens=given.length,
            ignore_eos=True,
        )
        work = Generate(TextPrompt(prompt), sampling)
        for engine, kept in zip(engines, rates, strict=True):
            rate = tokens_per_second(engine, work)
            if number:  # the first one warms up
                kept.append(rate)
        stats = engines[1].meter.take(engines[1].model.ref)
        counted = {} if stats is None else stats.counters
        for (counter, labels), count in counted.items():
            if ("method", "draft_model") in labels:
                right += count * (counter == ACCEPTED)
                drafted += count * (counter == DRAFTED)
    for engine in engines:
        engine.close()
    ratios = [with_it / without for without, with_it in zip(*rates, strict=True)]
    accepted = f"{right / drafted:.0%}" if drafted else "-"
    without, with_it = map(statistics.median, rates)
    return (
        f"{addition:>9g}{accepted:>10}{drafted:>10.0f}{without:>10.1f}{with_it:>10.1f}{statistics.median(ratios):>8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="372m", choices=list(SHAPES))
    parser.add_argument("--layers", type=int, default=2, help="of the draft model")
    parser.add_argument("--additions", nargs="+", type=float, default=[0, 0.02, 0.05, 0.1, 0.3])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--quantization", default="none", choices=["none", "int8", "int4"])
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--prompt", type=int, default=100, help="tokens")
    parser.add_argument("--length", type=int, default=128, help="tokens of an answer")
    parser.add_argument("--answers", type=int, default=5)
    given = parser.parse_args()
    print(f"{torch.cpu.get_capabilities().get('cpu_name')}, {torch.get_num_threads()} threads, {given.model}, {given}")
    print(f"{'addition':>9}{'accepted':>10}{'drafted':>10}{'tok/s':>10}{'drafted':>10}{'ratio':>8}")
    for addition in given.additions:
        print(row(given.model, addition, given), flush=True)


if __name__ == "__main__":
    sys.exit(main())
