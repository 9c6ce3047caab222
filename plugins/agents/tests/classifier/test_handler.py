"""What is asked to classify a text, and what its reader gets."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import llamafarm
import pytest
from llamafarm.errors import ConfigError, InvalidRequest, RequestError, UpstreamError
from llamafarm.handlers.base import TurnModel
from llamafarm.wire import CHAT, CLASSIFY, EMBEDDINGS
from llamafarm_agents.classifier.options import ClassifierOptions
from llamafarm_agents.classifier.plugin import build
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply

pytestmark = pytest.mark.anyio

ANIMALS = {
    "cows": "Of cattle.",
    "pigs": {"description": "Of pigs.", "examples": ["Where do pigs sleep?"]},
    "hens": None,
}


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Held(TurnModel):
    """A model whose runtime holds answers to schemas."""

    async def info(self):
        return llamafarm.ModelInfo("cow", structured="json_schema")


class Entry(llamafarm.ModelEntry):
    """An entry that says what it is for."""

    def serves(self, operation):
        return {"vectors": operation is EMBEDDINGS, "sorter": operation is CLASSIFY}.get(self.model)


@dataclass
class Project:
    """As much of a project as the handler looks at."""

    def entry(self, name: str) -> llamafarm.ModelEntry:
        return Entry(name=name, provider="scripted", model=name)


@dataclass
class Case:
    """A handler, and what came of its turns. entry: the model of the turn's own. answers: of what is no chat."""

    model: ScriptedProvider
    options: Mapping[str, Any]
    known: TurnModel = field(default_factory=TurnModel)
    entry: str = "cow"
    answers: Callable[[Any, Any], Any] | None = None
    asked: list[tuple[Any, Any, str | None]] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handler = build(ClassifierOptions.model_validate({"labels": ANIMALS, **self.options}))

    async def reply(self, content: Any = "Moo?", **request: Any) -> llamafarm.Reply:
        entry = Entry(name=self.entry, provider="scripted", model=self.entry)
        asked: Any = {"messages": [{"role": "user", "content": content}], **request}
        call = llamafarm.Call(entry, "r")
        turn = llamafarm.Turn(Project(), entry, asked, call, model=self.known, ask_model=self._ask)  # type: ignore[arg-type]
        self.trace = turn.trace.rows

        async def rest(turn: llamafarm.Turn) -> llamafarm.Reply:
            return await self.model.chat(turn.request, turn.call)

        return await self.handler.run(turn, rest)

    async def answer(self, content: Any = "Moo?", **request: Any) -> Any:
        reply = await self.reply(content, **request)
        try:
            return await reply.completion()
        finally:
            await reply.aclose()

    async def facts(self, content: Any = "Moo?", **request: Any) -> Any:
        return (await self.answer(content, **request))["llamafarm"]["classification"]

    async def _ask(self, operation: Any, request: Any, model: str | None) -> Any:
        self.asked.append((operation, request, model))
        if operation is CHAT:
            return await self.model.chat(request, llamafarm.Call(Entry(name="x", provider="p", model="x"), "r"))
        assert self.answers is not None
        return self.answers(operation, request)


def said(
    *tokens: tuple[str, dict[str, float]], content: str | None = None, usage: Any = None, own: float = 1.0
) -> ScriptedReply:
    """An answer of these tokens, each with the probabilities of those that might have stood in its place.

    own: the probability of a token that is not among them.
    """
    told = [{"token": token, "logprob": math.log(top.get(token, own)), "top_logprobs": [
        {"token": other, "logprob": math.log(share)} for other, share in top.items()
    ]} for token, top in tokens]  # fmt: skip
    text = "".join(token for token, _ in tokens) if content is None else content
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    chunks = [{**head, "choices": [{**choice, "logprobs": {"content": told}}]}]
    return ScriptedReply(chunks=[*chunks, *([{**head, "choices": [], "usage": usage}] if usage else [])])


USAGE = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}


class TestDecoding:
    async def test_the_model_is_asked_for_the_key_of_a_class(self):
        case = Case(ScriptedProvider("B"), {"instructions": "You sort the post of a farm."})
        assert (await case.answer())["choices"][0]["message"]["content"] == "pigs"
        [request] = case.model.requests
        system, user = request["messages"]
        assert system["content"].startswith("You sort the post of a farm.")
        for line in ("A: cows – Of cattle.", "B: pigs – Of pigs.", "  for example: Where do pigs sleep?", "C: hens"):
            assert line in system["content"].split("\n")
        assert "Moo?" in user["content"]
        del request["messages"]
        assert request == {"temperature": 0, "max_tokens": 32, "logprobs": True, "top_logprobs": 20}

    async def test_a_runtime_that_holds_answers_to_schemas_holds_it_to_the_keys(self):
        case = Case(ScriptedProvider('{"key": "C"}'), {}, Held())
        assert (await case.facts())["label"] == "hens"
        schema = case.model.requests[0]["response_format"]["json_schema"]["schema"]
        assert schema["properties"] == {"key": {"type": "string", "enum": ["A", "B", "C"]}}

    async def test_scores_are_the_probabilities_of_the_keys_where_one_stands(self):
        tops = {' "B': 0.2, ' "A': 0.15, ' "': 0.3, " x": 0.1, '"C"': 0.05, "B": 0.1}
        case = Case(
            ScriptedProvider(lambda _: said(('{"key":', {'{"key":': 1.0}), (' "B', tops), ('"}', {'"}': 1}))),
            {},
            Held(),
        )
        facts = await case.facts()
        assert facts["scores"] == pytest.approx({"cows": 0.3, "pigs": 0.6, "hens": 0.1})
        assert (facts["label"], facts["score"]) == ("pigs", facts["scores"]["pigs"])

    async def test_the_likeliest_class_counts_also_where_the_model_draws_another(self):
        case = Case(ScriptedProvider(lambda _: said(("C", {"A": 0.75, "C": 0.25}))), {})
        facts = await case.facts(temperature=1.0)
        assert (facts["label"], facts["score"]) == ("cows", pytest.approx(0.75))

    async def test_what_a_model_thinks_before_is_no_answer(self):
        thought = [("It is A, no: ", {"It is A, no: ": 1.0}), ("B", {"B": 0.9, "A": 0.1})]
        case = Case(ScriptedProvider(lambda _: said(*thought, content="B")), {})
        assert (await case.facts())["scores"] == {"pigs": pytest.approx(0.9), "cows": pytest.approx(0.1), "hens": None}

    async def test_a_class_that_is_not_among_the_likeliest_has_an_unknown_score(self):
        tops = {"B": 0.6, "A": 0.39, "x": 0.001}
        case = Case(ScriptedProvider(lambda _: said(("B", tops))), {})
        scores = {"cows": pytest.approx(0.39 / 0.99), "pigs": pytest.approx(0.6 / 0.99), "hens": None}
        assert (await case.facts())["scores"] == scores
        assert case.trace[0]["without_score"] == ["hens"]

    @pytest.mark.parametrize("tops", [{"x": 0.5, "B": 0.02, "y": 0.01}, {"x": 0.5, "y": 0.01}])
    async def test_no_score_is_told_where_the_unknown_ones_could_be_as_high(self, tops):
        case = Case(ScriptedProvider(lambda _: said(("B", tops), own=1e-6)), {})
        assert await case.facts() == {"label": "pigs", "score": None, "scores": dict.fromkeys(["cows", "pigs", "hens"])}

    async def test_without_probabilities_there_is_a_label_without_scores(self):
        case = Case(ScriptedProvider("A"), {})
        assert await case.facts() == {"label": "cows", "score": None, "scores": dict.fromkeys(["cows", "pigs", "hens"])}

    @pytest.mark.parametrize("field", ["logprobs", "response_format", "temperature"])
    @pytest.mark.parametrize("tells", [True, False])
    async def test_what_a_runtime_refuses_is_left_out_from_then_on(self, field, tells):
        def picky(request):
            return InvalidRequest(f"No {field}.", param=field if tells else None) if field in request else "A"

        case = Case(ScriptedProvider(picky), {}, Held())
        for _ in range(2):
            assert (await case.facts())["label"] == "cows"
        assert [field in request for request in case.model.requests] == [True, False, False]
        assert case.trace[0]["stage"] == "classifier"

    @pytest.mark.parametrize(("most", "told"), [(5, [20, 5, 5]), (0, [20, 5, None, None])])
    async def test_a_runtime_that_tells_fewer_alternatives_is_asked_for_fewer(self, most, told):
        def picky(request):
            return InvalidRequest("Too many.", param="top_logprobs") if request.get("top_logprobs", 0) > most else "A"

        case = Case(ScriptedProvider(picky), {})
        for _ in range(2):
            await case.facts()
        assert [request.get("top_logprobs") for request in case.model.requests] == told

    async def test_what_is_needed_is_no_less_an_error(self):
        case = Case(ScriptedProvider(InvalidRequest("No messages.", param="messages")), {})
        with pytest.raises(InvalidRequest):
            await case.facts()
        assert len(case.model.requests) == 1

    async def test_an_answer_that_is_no_key_is_asked_for_again_once(self):
        case = Case(ScriptedProvider("Well, a cow.", "A"), {})
        assert (await case.facts())["label"] == "cows"
        *_, answer, again = case.model.requests[1]["messages"]
        assert answer == {"role": "assistant", "content": "Well, a cow."}
        assert "A, B, C" in again["content"]
        case = Case(ScriptedProvider("Well, a cow."), {})
        with pytest.raises(UpstreamError, match="one of A, B, C") as caught:
            await case.facts()
        assert (caught.value.code, len(case.model.requests)) == ("classification_invalid", 2)

    async def test_usage_is_that_of_all_requests(self):
        case = Case(
            ScriptedProvider(
                lambda _: said(("x", {"x": 1.0}), usage=USAGE), lambda _: said(("A", {"A": 1.0}), usage=USAGE)
            ),
            {},
        )
        assert (await case.answer())["usage"] == {name: 2 * count for name, count in USAGE.items()}

    async def test_another_entry_is_asked_past_the_chain_without_the_requests_own_parameters(self):
        case = Case(ScriptedProvider("A"), {"model": "other"})
        assert (await case.facts(seed=7))["label"] == "cows"
        [(operation, request, model)] = case.asked
        assert (operation, model, request.get("seed")) == (CHAT, "other", None)
        assert "response_format" in request, "nothing is known of that runtime, so it is tried"

    async def test_a_cut_answer_says_how_long_it_was(self):
        cut = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
        choice = {"index": 0, "delta": {"content": "Let me think"}, "finish_reason": "length"}
        case = Case(ScriptedProvider(lambda _: ScriptedReply(chunks=[{**cut, "choices": [choice]}])), {})
        with pytest.raises(UpstreamError) as caught:
            await case.facts()
        assert "max_tokens" in str(caught.value.hint)
        assert len(case.model.requests) == 1


class TestSeveralLabels:
    async def test_each_class_is_a_question_and_its_score_the_probability_of_a_yes(self):
        shares = {"cows": 0.9, "pigs": 0.4, "hens": 0.7}

        def judge(request):
            label = next(label for label in shares if f"The class: {label}" in request["messages"][-1]["content"])
            return said(("Yes", {"Yes": shares[label], " no": 1 - shares[label]}))

        case = Case(ScriptedProvider(judge), {"multi_label": True, "threshold": 0.6})
        answer = await case.answer()
        assert json.loads(answer["choices"][0]["message"]["content"]) == ["cows", "hens"]
        assert answer["llamafarm"]["classification"] == {"labels": ["cows", "hens"], "scores": pytest.approx(shares)}

    async def test_without_probabilities_a_yes_is_a_yes(self):
        case = Case(
            ScriptedProvider(lambda request: "Yes." if "pigs" in request["messages"][-1]["content"] else "no"),
            {"multi_label": True},
        )
        assert await case.facts() == {"labels": ["pigs"], "scores": dict.fromkeys(["cows", "pigs", "hens"])}

    async def test_no_more_than_eight_are_asked_at_once(self):
        running, most = 0, 0

        class Slow(ScriptedProvider):
            async def chat(self, request, call):
                nonlocal running, most
                running += 1
                most = max(most, running)
                for _ in range(20):
                    await asyncio.sleep(0)
                running -= 1
                return await super().chat(request, call)

        case = Case(Slow("no"), {"multi_label": True, "labels": [f"class {number}" for number in range(30)]})
        assert (await case.facts())["labels"] == []
        assert most == 8

    async def test_one_that_fails_ends_the_others_and_is_the_error(self):
        error = UpstreamError("Broken.")
        case = Case(ScriptedProvider("no", error, "no"), {"multi_label": True})
        with pytest.raises(UpstreamError) as caught:
            await case.facts()
        assert caught.value is error
        assert all(reply.closed for reply in case.model.replies)


def sorter(shares: dict[str, float]) -> Callable[[Any, Any], Any]:
    """A classification model with these classes, which says the same of all texts."""

    def answer(operation: Any, request: Any) -> Any:
        assert operation is CLASSIFY
        told = {label: 1 / (2 + at) for at, label in enumerate(request.get("candidate_labels") or ())} or shares
        row = {"index": 0, "label": max(told, key=told.__getitem__), "labels": [*told], "probs": [*told.values()]}
        return {"data": [row], "usage": {"prompt_tokens": 3, "total_tokens": 3}}

    return answer


class TestClassificationModels:
    def case(self, shares: dict[str, float], **options: Any) -> Case:
        return Case(ScriptedProvider(), options, entry="sorter", answers=sorter(shares))

    async def test_the_models_own_classes_are_the_labels_where_the_file_names_none(self):
        case = self.case({"good": 0.8, "bad": 0.2}, labels={})
        answer = await case.answer()
        assert answer["llamafarm"]["classification"] == {
            "label": "good",
            "score": 0.8,
            "scores": {"good": 0.8, "bad": 0.2},
        }
        assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}
        assert case.asked == [(CLASSIFY, {"input": ["Moo?"]}, None)]

    async def test_labels_can_have_other_names_than_the_models(self):
        case = self.case(
            {"LABEL_0": 0.7, "LABEL_1": 0.3}, labels={"bad": {"from": "LABEL_1"}, "good": {"from": "LABEL_0"}}
        )
        assert await case.facts() == {"label": "good", "score": 0.7, "scores": {"bad": 0.3, "good": 0.7}}

    async def test_a_label_that_the_model_does_not_have_is_an_error_that_names_those_it_has(self):
        with pytest.raises(ConfigError, match=r"has no class 'cows'\. It has: good, bad"):
            await self.case({"good": 0.8, "bad": 0.2}).facts()

    async def test_a_model_of_inference_judges_the_descriptions(self):
        case = self.case({"entailment": 0.1, "neutral": 0.9})
        assert (await case.facts())["label"] == "cows"
        assert case.asked[1][1]["candidate_labels"] == ["Of cattle.", "Of pigs.", "hens"]

    async def test_several_labels_are_those_above_the_threshold(self):
        case = self.case({"cows": 0.8, "pigs": 0.6, "hens": 0.1}, multi_label=True)
        assert (await case.facts())["labels"] == ["cows", "pigs"]


VECTORS = {"cows": [1, 0], "pigs": [0, 2], "sleep": [0, 1], "hens": [-1, 0]}


def vectors(operation: Any, request: Any) -> Any:
    """An embedding model that knows a few words; its rows come in another order."""
    assert operation is EMBEDDINGS
    rows = [{"index": at, "embedding": next((v for word, v in VECTORS.items() if word in text), [0.6, 0.8])}
            for at, text in enumerate(request["input"])]  # fmt: skip
    return {"data": rows[::-1], "usage": {"prompt_tokens": len(rows), "total_tokens": len(rows)}}


class TestEmbeddings:
    LABELS = {"cows": "Of cattle.", "pigs": {"examples": ["Where do they sleep?"]}, "hens": {"description": "hens"}}

    def case(self, **options: Any) -> Case:
        return Case(ScriptedProvider(), {"labels": self.LABELS, **options}, entry="vectors", answers=vectors)

    async def test_the_class_is_that_of_the_nearest_centre(self):
        facts = await self.case().facts()
        powers = {label: math.exp(cosine / 0.05) for label, cosine in {"cows": 0.6, "pigs": 0.8, "hens": -0.6}.items()}
        assert facts["label"] == "pigs"
        assert facts["scores"] == pytest.approx(
            {label: power / sum(powers.values()) for label, power in powers.items()}
        )

    async def test_a_description_counts_as_three_examples(self):
        labels = {"mixed": {"description": "cows", "examples": ["pigs"]}, "hens": "hens"}
        facts = await self.case(labels=labels, multi_label=True).facts()
        assert facts["scores"]["mixed"] == pytest.approx((3 * 0.6 + 1 * 0.8) / math.hypot(3, 1))

    async def test_descriptions_and_examples_are_embedded_once_for_all_turns(self):
        case = self.case()
        await asyncio.gather(case.facts(), case.facts(), case.facts())
        inputs = [request["input"] for _, request, _ in case.asked]
        assert inputs == [["cows: Of cattle.", "Where do they sleep?", "hens: hens"], *[["Moo?"]] * 3]

    async def test_where_that_fails_the_next_turn_tries_again(self):
        case = self.case()
        case.answers = lambda *_: (_ for _ in ()).throw(UpstreamError("Down."))
        with pytest.raises(UpstreamError):
            await case.facts()
        case.answers = vectors
        assert (await case.facts())["label"] == "pigs"

    async def test_a_turn_that_is_cancelled_meanwhile_takes_no_other_with_it(self):
        case, asked = self.case(), asyncio.Event()

        async def forever(*_):
            asked.set()
            await asyncio.Event().wait()

        answered, case._ask = case._ask, forever  # type: ignore[method-assign]
        first = asyncio.create_task(case.facts())
        await asked.wait()
        case._ask = answered  # type: ignore[method-assign]
        second = asyncio.create_task(case.facts())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)["label"] == "pigs"
        assert first.cancelled()

    async def test_several_labels_are_those_that_are_alike_enough(self):
        facts = await self.case(multi_label=True, threshold=0.7).facts()
        assert facts == {"labels": ["pigs"], "scores": pytest.approx({"cows": 0.6, "pigs": 0.8, "hens": 0.0})}

    async def test_many_examples_go_in_batches(self):
        labels = {"cows": {"examples": [f"cows {number}" for number in range(100)]}, "pigs": {"examples": ["pigs"]}}
        case = self.case(labels=labels)
        assert (await case.facts())["label"] == "pigs"
        assert [len(request["input"]) for _, request, _ in case.asked] == [64, 37, 1]

    async def test_a_class_of_which_nothing_is_said_cannot_be_compared(self):
        with pytest.raises(ConfigError, match="description or `examples` of each class; hens has none"):
            await self.case(labels=ANIMALS).facts()


class TestRequests:
    async def test_the_text_is_that_of_the_users_last_message(self):
        case = Case(ScriptedProvider("A"), {})
        parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
        messages = [
            {"role": "user", "content": "zero"},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": "x"},
        ]
        await case.answer(messages=messages)
        assert "one\ntwo" in case.model.requests[0]["messages"][1]["content"]
        assert "zero" not in str(case.model.requests)

    @pytest.mark.parametrize(
        ("request_", "problem"),
        [
            (
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
                "'image_url'",
            ),
            ({"messages": [{"role": "user", "content": " "}]}, "has no text"),
            ({"messages": [{"role": "user"}]}, "has no text"),
            ({"messages": [{"role": "system", "content": "Hi"}]}, "no message is a user's"),
            ({"n": 2}, "leave `n` away"),
        ],
    )
    async def test_what_cannot_be_classified_is_not_asked(self, request_, problem):
        case = Case(ScriptedProvider("A"), {})
        with pytest.raises(RequestError, match=problem):
            await case.answer(**request_)
        assert case.model.requests == []

    async def test_what_has_no_effect_stands_in_the_trace(self):
        case = Case(ScriptedProvider("A"), {})
        await case.answer(tools=[{"type": "function", "function": {"name": "f"}}], stop=["A"], max_tokens=1)
        assert "tools" not in case.model.requests[0]
        assert case.model.requests[0]["max_tokens"] == 32
        assert case.trace[0]["ignored"] == ["tools", "stop", "max_tokens"]

    async def test_a_stream_ends_with_the_classification(self):
        case = Case(ScriptedProvider(lambda _: said(("A", {"A": 1.0}), usage=USAGE)), {})
        reply = await case.reply(stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in reply.chunks()]
        assert "stream" not in case.model.requests[0]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == "cows"
        assert [chunk["usage"] for chunk in chunks if chunk.get("usage")] == [USAGE]
        assert chunks[-1]["llamafarm"]["classification"]["label"] == "cows"
