"""How fast is text generated, beside `transformers serve` with the same weights?

Clients stream completions of different prompts, each the next one as soon as it has an answer, from one server after
the other: ours, `transformers serve` plain and with continuous batching, and every `--peer`. Without `--model` the
model has random weights in the shape of Qwen2 0.5B, and nothing ends an answer early.

Budgets, against `transformers serve --continuous-batching` and by clients: BUDGETS times its tokens per second, and a
lower median of the time to the first token.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from completions import Count, Row, Work, measure
from models import SHAPES, folder_of
from processes import Watch, end_properly
from textservers import Server, can_serve, loaded_as, ours, running, transformers

BUDGETS = {1: 2.5, 8: 3.0, 32: 4.0}
CONTINUOUS = ("--continuous-batching",)
OURS = "ours"
PERIOD = 0.5
"""Seconds between two looks at a server's memory: each costs the client some milliseconds."""
FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "bf16", "sve", "dot")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="372m", help=f"one of {', '.join(SHAPES)}, or a folder")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "fp16", "fp32", "auto"], help="of every server")
    parser.add_argument(
        "--ours",
        nargs="*",
        metavar="SETTINGS",
        help="how ours is loaded, such as dtype=auto or quantization=int8,dtype=bf16",
    )
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--words", type=int, default=Work.words, help="of a prompt")
    parser.add_argument("--length", type=int, default=Work.length, help="tokens of an answer")
    parser.add_argument("--answers", type=int, default=Work.answers, help="at least, and two for each client")
    parser.add_argument("--passes", type=int, default=1, help="over all servers; each row is the best of its passes")
    parser.add_argument("--transformers", nargs="*", choices=["plain", "continuous"], default=["plain", "continuous"])
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment of transformers")
    parser.add_argument("--cb", default="", metavar="OPTIONS", help="further options of continuous batching")
    parser.add_argument(
        "--peer", action="append", default=[], type=running, metavar="NAME=URL,MODEL", help="runs already"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    return parser


def servers(given: argparse.Namespace, folder: Path) -> Iterator[AbstractContextManager[Server]]:
    """Each starts when it is entered, so that there is never more than one."""
    for settings in [f"dtype={given.dtype}"] if given.ours is None else given.ours:
        yield ours(folder, dict(pair.split("=", 1) for pair in settings.split(",")))
    for kind in given.transformers:
        further = (*CONTINUOUS, *given.cb.split()) if kind == "continuous" else ()
        yield transformers(given.python, folder, given.dtype, *further)
    yield from map(nullcontext, given.peer)


def rows(server: Server, given: argparse.Namespace, count: Count) -> Iterator[Row]:
    watch = Watch(server.pid, PERIOD) if server.pid else None
    work = Work(given.words, given.length, given.answers)
    try:
        for clients in given.clients:
            row = measure(server, clients, work, count)
            yield replace(row, memory_mb=watch.most / 1e6) if watch else row
    finally:
        if watch:
            watch.close()


def counter(folder: Path) -> Count:
    """How many tokens a text has, as the model's tokenizer reads it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return lambda text: len(tokenizer(text, add_special_tokens=False).input_ids)


def machine() -> dict[str, Any]:
    import torch
    import transformers as library

    able = torch.cpu.get_capabilities()
    return {
        "processor": able.get("cpu_name"),
        "features": [name for name in FEATURES if able.get(name)],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": library.__version__,
        "load": os.getloadavg()[0],
    }


def show(row: Row) -> None:
    memory = f"{row.memory_mb:>9.0f}" if row.memory_mb else ""
    print(
        f"{row.server:<28}{row.clients:>8}{row.tokens_per_second:>10.1f}{row.first_p50:>10.0f}{row.first_p99:>8.0f}"
        f"{row.between_p50:>10.1f}{row.between_p99:>8.1f}{memory}",
        flush=True,
    )
    if row.short:
        print(f"{'':<28}{row.short} answers ended early")


def compare(measured: list[Row]) -> list[dict[str, Any]]:
    """Each row of ours beside each of a peer with as many clients: how much faster, and how much of its time."""
    return [
        {
            "ours": own.server,
            "peer": peer.server,
            "clients": own.clients,
            "tokens_per_second": own.tokens_per_second / peer.tokens_per_second,
            "first_p50": own.first_p50 / peer.first_p50,
            "between_p50": own.between_p50 / peer.between_p50 if peer.between_p50 else None,
        }
        for own in measured
        if own.server.startswith(OURS)
        for peer in measured
        if peer.clients == own.clients and not peer.server.startswith(OURS)
    ]


def missed(ratios: list[dict[str, Any]]) -> list[str]:
    """What does not keep the budgets: of the first form of ours, against continuous batching."""
    held = [ratio for ratio in ratios if ratio["peer"].endswith("continuous") and ratio["ours"] == ratios[0]["ours"]]
    late = [f"first token at {ratio['clients']}" for ratio in held if ratio["first_p50"] >= 1]
    slow = [
        f"tokens/s at {ratio['clients']}"
        for ratio in held
        if ratio["tokens_per_second"] < BUDGETS.get(ratio["clients"], 0)
    ]
    return slow + late


def measure_all(given: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Each server with each number of clients, shown as it comes; and how ours has loaded the model."""
    measured, loaded, count = [], {}, counter(folder)
    print(f"{'':<28}{'clients':>8}{'tokens/s':>10}{'first p50':>10}{'p99':>8}{'then p50':>10}{'p99 ms':>8}{'MB':>9}")
    for starting in chain.from_iterable(servers(given, folder) for _ in range(given.passes)):
        with starting as server:
            for row in rows(server, given, count):
                measured.append(row)
                show(row)
            if server.name.startswith(OURS):
                loaded[server.name] = told = loaded_as(server)
                print(f"{'':<28}{told['dtype']} on {told['device']}, {told['memory_bytes'] / 1e6:.0f} MB of weights")
    return best(measured), loaded


def best(measured: list[Row]) -> list[Row]:
    """Of each server and number of clients the fastest row: what else a machine does only ever takes time."""
    fastest: dict[tuple[str, int], Row] = {}
    for row in measured:
        at = row.server, row.clients
        if at not in fastest or row.tokens_per_second > fastest[at].tokens_per_second:
            fastest[at] = row
    return list(fastest.values())


def main() -> None:
    given = options().parse_args()
    end_properly()
    if given.transformers and not can_serve(given.python):
        print(f"transformers serve is not measured: {given.python} lacks what it needs; "
              "`pip install 'transformers[serving]'` there")  # fmt: skip
        given.transformers = []
    folder, here = folder_of(given.model), machine()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print(f"{given.model}, {given.dtype}: prompts of {given.words} words, answers of {given.length} tokens\n")
    measured, loaded = measure_all(given, folder)
    ratios = compare(measured)
    for ratio in ratios:
        print(f"{ratio['ours']} beside {ratio['peer']}, clients: {ratio['clients']}: tokens/s "
              f"{ratio['tokens_per_second']:.2f} times, first token {ratio['first_p50']:.2f} times")  # fmt: skip
    if given.json:
        settings = {name: value for name, value in vars(given).items() if isinstance(value, str | int | list)}
        figures = {"machine": here, "settings": settings, "loaded": loaded, "ratios": ratios}
        given.json.write_text(json.dumps({**figures, "rows": [asdict(row) for row in measured]}, indent=1, default=str))
    if over := missed(ratios):
        sys.exit(f"over budget: {', '.join(over)}")


if __name__ == "__main__":
    main()
