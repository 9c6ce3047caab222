"""Is a GPU used well? What `gpu.sh` runs on a machine that has one; on a CPU it shows that the program itself works.

1. Does a model of two layers say in fp32, alone and beside others, what `model.generate` says?
2. Tokens per second of one client and of many, beside `transformers serve --continuous-batching`, in bf16.
3. How fast the device copies memory. Each token reads all weights once, so a client can have at most so many a second.

Budgets: one client has 60 % of what the memory allows; 64 have 2 times the peer's tokens per second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from completions import Work
from models import folder_of
from processes import end_properly
from textservers import Server, ours

SHARE = 0.6
TIMES = 2.0
MANY = 64
TEXTS = 16
TOKENS = 32
TEXTGEN = str(Path(__file__).with_name("textgen.py"))


def agreement() -> bool:
    """Whether our greedy texts are those of `model.generate`; where one is not, both are shown."""
    folder = folder_of("tiny")
    prompts = [Work(words=3 + 2 * number).prompt(f"agreement {number}") for number in range(TEXTS)]
    expected = generated(folder, prompts)
    with ours(folder, {"dtype": "fp32"}) as server, ThreadPoolExecutor(TEXTS) as pool:
        alone = [completed(server, prompt) for prompt in prompts]
        together = list(pool.map(lambda prompt: completed(server, prompt), prompts))
    pairs = list(zip(expected * 2, alone + together, strict=True))
    different = [pair for pair in pairs if pair[0] != pair[1]]
    print(f"fp32, beside model.generate: {len(pairs) - len(different)} of {len(pairs)} texts are the same")
    for theirs, own in different[:3]:
        print(f"  {theirs!r}\n  {own!r}")
    return not different


def generated(folder: Path, prompts: list[str]) -> list[str]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device)
    texts = []
    for prompt in prompts:
        asked = tokenizer(prompt, return_tensors="pt").to(device)
        tokens = model.generate(**asked, max_new_tokens=TOKENS, do_sample=False)[0, asked.input_ids.shape[1] :]
        texts.append(whole(tokenizer.decode(tokens)))
    return texts


def whole(text: str) -> str:
    """Without the beginning of a character at the end, which some show and some do not."""
    return text.rstrip("\ufffd")


def completed(server: Server, prompt: str) -> str:
    fields = {"model": server.model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0}
    request = urllib.request.Request(
        f"http://{server.place}{server.path}", json.dumps(fields).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return whole(json.loads(answer.read())["choices"][0]["text"])


def measured(model: str, clients: list[int], length: int) -> dict[str, Any]:
    """What textgen.py measures. Whether its own budgets hold does not matter here: those are of processors."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        options = ["--model", model, "--dtype", "bf16", "--transformers", "continuous", "--json", str(figures)]
        few = ["--clients", *map(str, clients), "--length", str(length)]
        subprocess.run([sys.executable, TEXTGEN, *options, *few], check=False)
        if not figures.exists():
            sys.exit("the servers could not be measured")
        told: dict[str, Any] = json.loads(figures.read_text())
    return told


def bytes_per_second(size: int) -> float:
    """Bytes read and written in a second by a copy of so many bytes on the device; the best of ten."""
    import torch

    cuda = torch.cuda.is_available()
    source = torch.empty(size, dtype=torch.uint8, device="cuda" if cuda else "cpu").fill_(1)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        target.copy_(source)
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * size / min(seconds)


def rate(figures: dict[str, Any], server: str, clients: int) -> float:
    rows = [row for row in figures["rows"] if row["server"].startswith(server) and row["clients"] == clients]
    return float(rows[0]["tokens_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="8b")
    parser.add_argument("--many", type=int, default=MANY, help="clients")
    parser.add_argument("--length", type=int, default=128, help="tokens of an answer")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    end_properly()
    agrees = agreement()
    figures = measured(given.model, [1, given.many], given.length)
    weights = sum(path.stat().st_size for path in folder_of(given.model).glob("*.safetensors"))
    speed = bytes_per_second(min(weights, 2**32))
    one = rate(figures, "ours", 1) / (speed / weights)
    many = rate(figures, "ours", given.many) / rate(figures, "transformers", given.many)
    print(
        f"memory: {speed / 1e9:.0f} GB/s, which is {speed / weights:.1f} tokens/s of {weights / 1e9:.2f} GB of weights"
    )
    print(f"one client: {one:.0%} of that; {given.many} clients: {many:.2f} times the peer's tokens/s")
    if given.json:
        held = {"agrees": agrees, "bytes_per_second": speed, "weight_bytes": weights, "one": one, "many": many}
        given.json.write_text(json.dumps({**figures, **held}, indent=1))
    if not agrees or one < SHARE or many < TIMES:
        sys.exit(f"over budget: texts the same {agrees}, one client {one:.2f} of {SHARE}, many {many:.2f} of {TIMES}")


if __name__ == "__main__":
    main()
