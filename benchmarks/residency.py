"""Does the runtime's memory hold, however many models come and go?

Five models of 100 to 200 MB are asked in turn under a budget that holds two of them, so that each request evicts the
model that was asked longest ago; now and then one is unloaded by name. The memory of all processes of the runtime is
looked at every 50 ms. Budgets: what models add to the runtime at rest is never more than UNIVERSAL_RUNTIME_MAX_MEMORY,
and after the last round over the five the runtime takes at most 5 % more than after the first one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from processes import BOUND, Watch

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests"))

from tiny_models import make_llama, make_tokenizer

CYCLES = 200
LAYERS = (5, 6, 6, 6, 7)
SHAPE = {"hidden_size": 768, "intermediate_size": 2048, "num_attention_heads": 12, "max_position_embeddings": 256}
GROWTH = 0.05
SETTLING = 1.0
MB = 1e6


class Runtime:
    def __init__(self, url: str) -> None:
        self.place = urlsplit(url).netloc

    def chat(self, model: str) -> None:
        said = [{"role": "user", "content": "hello"}]
        self.post("/v1/chat/completions", {"model": model, "messages": said, "max_tokens": 4})

    def unload(self, model: str) -> None:
        self.post("/v1/models/unload", {"model": model})

    def loaded(self) -> list[str]:
        models: list[str] = self._ask("GET", "/health")["models"]
        return models

    def post(self, path: str, body: object) -> None:
        self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, list[str]]:
        connection = http.client.HTTPConnection(self.place, timeout=BOUND)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}: {text[:300].decode()}")
        told: dict[str, list[str]] = json.loads(text)
        return told


@contextmanager
def runtime(folder: Path, budget: int, models: list[Path]) -> Iterator[tuple[Runtime, Watch]]:
    """A runtime of its own, which may load these models."""
    (folder / "runtime.yaml").write_text("\n".join(["models:", *(f"  - id: {model}" for model in models)]))
    own = {"UNIVERSAL_RUNTIME_CONFIG": str(folder / "runtime.yaml"), "UNIVERSAL_RUNTIME_MAX_MEMORY": f"{budget}B"}
    command = [sys.executable, "-m", "llamafarm_universal.server", "--port", "0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **own})
    assert process.stdout is not None
    watch = Watch(process.pid)
    try:
        yield Runtime(process.stdout.readline().split()[-1]), watch
    finally:
        watch.close()
        process.terminate()
        process.wait(BOUND)


def weigh(model: Path) -> int:
    """The bytes that the runtime reckons with for a model."""
    from llamafarm_universal.messages import Machine, ModelRef
    from llamafarm_universal.messages.plan import Limits
    from llamafarm_universal.store.plan import make_plan

    return make_plan(ModelRef(str(model)), model, Machine(), Limits()).memory_bytes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=CYCLES)
    cycles = parser.parse_args().cycles
    with tempfile.TemporaryDirectory() as made:
        folder, tokenizer = Path(made), make_tokenizer()
        small = make_llama(folder / "small", tokenizer)
        models = [
            make_llama(folder / f"model-{i}", tokenizer, num_hidden_layers=layers, **SHAPE)
            for i, layers in enumerate(LAYERS)
        ]
        sizes = sorted(map(weigh, models))
        budget = sizes[-1] + sizes[-2]
        print(f"models of {sizes[0] / MB:.0f} to {sizes[-1] / MB:.0f} MB, a budget of {budget / MB:.0f} MB")
        assert budget < sum(sizes[:3]), "three models fit"
        with runtime(folder, budget, [small, *models]) as (asked, watch):
            rest = at_rest(asked, watch, str(small))
            first, last = rounds(asked, watch, [str(model) for model in models], cycles)
    report(rest, first, last, watch, budget)


def at_rest(asked: Runtime, watch: Watch, small: str) -> int:
    """What the runtime takes once it has loaded, asked and unloaded a tiny model: its libraries are there then."""
    asked.chat(small)
    asked.unload(small)
    time.sleep(SETTLING)
    return watch.now()


def rounds(asked: Runtime, watch: Watch, models: list[str], cycles: int) -> tuple[int, int]:
    """Load every model so often. Returns what all processes take after the first round and after the last one."""
    watch.forget()
    after = []
    for cycle in range(0, cycles, len(models)):
        for number, model in enumerate(models, cycle):
            asked.chat(model)
            assert len(asked.loaded()) <= 2, "more models are loaded than the budget holds"
            if number % 7 == 3:
                asked.unload(model)
                asked.chat(model)
        time.sleep(SETTLING)
        after.append(watch.now())
        print(f"round {len(after):3}: {after[-1] / MB:7.0f} MB, at most {watch.most / MB:7.0f} MB", flush=True)
    return after[0], after[-1]


def report(rest: int, first: int, last: int, watch: Watch, budget: int) -> None:
    growth, most = last / first - 1, watch.most - rest
    print(f"at rest {rest / MB:.0f} MB; after the first round {first / MB:.0f} MB, after the last {last / MB:.0f} MB: "
          f"{growth:+.1%}")  # fmt: skip
    print(f"models added at most {most / MB:.0f} MB of {budget / MB:.0f} MB, in {watch.samples} samples")
    if growth > GROWTH or most > budget:
        sys.exit("the memory does not hold")


if __name__ == "__main__":
    main()
