"""The handler: looks through what users write, asks, and looks through what the model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import llamafarm
from llamafarm.wire import CLASSIFY, Message

from llamafarm_agents.guard.answers import Choices, checked_errors, of_the_wire, refused
from llamafarm_agents.guard.options import Check, GuardOptions, JudgeCheck
from llamafarm_agents.guard.scanner import Refusal, Scanner
from llamafarm_agents.usage import wants_usage


class GuardHandler:
    """Middleware. What a check finds is refused, redacted or flagged, and stands in the trace.

    Texts of users and of models are looked through; arguments of tools are not. Where a judge decides on answers, they
    are held back until they are whole.
    """

    def __init__(self, options: GuardOptions) -> None:
        self._options = options
        self._judges_after = [check for check in options.after if isinstance(check, JudgeCheck)]

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Raises PluginError for a pattern that takes too long."""
        try:
            checked = await self._before(turn)
        except Refusal as refusal:
            turn.note("guard", where="before", check=refusal.check, action="refuse")
            return refused(turn, self._options.refusal)
        with checked_errors(self._options.after, self._options.refusal):
            reply = await ask(checked)
            if self._judges_after:
                reply = await self._judged(turn, reply)
        return reply.map_chunks(self._choices(turn).changed) if self._options.after else reply

    async def _before(self, turn: llamafarm.Turn) -> llamafarm.Turn:
        """The turn as the model may see it. Raises Refusal."""
        if not self._options.before:
            return turn
        messages = [self._seen(turn, message) for message in turn.request["messages"]]
        texts = [text for message in messages[-1:] for text in _texts(message)]
        await self._judge(turn, self._options.before, texts, "before")
        return turn if messages == turn.request["messages"] else turn.with_messages(messages)

    def _seen(self, turn: llamafarm.Turn, message: Message) -> Message:
        if message["role"] != "user":
            return message
        content = message.get("content")
        if isinstance(content, str):
            return cast("Message", {**message, "content": self._scanned(turn, content)})
        parts = [self._part(turn, part) for part in content or ()]
        return cast("Message", {**message, "content": parts})

    def _part(self, turn: llamafarm.Turn, part: Any) -> Any:
        is_text = isinstance(part, Mapping) and isinstance(part.get("text"), str)
        return {**part, "text": self._scanned(turn, part["text"])} if is_text else part

    def _scanned(self, turn: llamafarm.Turn, text: str) -> str:
        scanner = Scanner(self._options.before)
        text = scanner.scan(text, last=True)
        _note(turn, "before", scanner)
        return text

    def _choices(self, turn: llamafarm.Turn) -> Choices:
        def note(scanner: Scanner, refused_by: str | None) -> None:
            _note(turn, "after", scanner, refused_by)

        return Choices(turn.request.get("n") or 1, self._options.after, self._options.refusal, note)

    async def _judged(self, turn: llamafarm.Turn, reply: llamafarm.Reply) -> llamafarm.Reply:
        """The same answer, whole; what a judge refuses is replaced."""
        try:
            answer = await reply.completion()
        finally:
            await reply.aclose()
        choices, is_refused = [], False
        for choice in answer["choices"]:
            try:
                await self._judge(turn, self._judges_after, _texts(choice.get("message") or {}), "after")
            except Refusal as refusal:
                turn.note("guard", where="after", check=refusal.check, action="refuse")
                message = {"role": "assistant", "content": self._options.refusal}
                choice = {**choice, "message": message, "finish_reason": "content_filter"}
                is_refused = True
            choices.append(choice)
        told = of_the_wire(answer) if is_refused else answer
        judged = llamafarm.JsonReply({**told, "choices": choices}, usage=wants_usage(turn))
        judged.headers.update(reply.headers)
        return judged

    async def _judge(self, turn: llamafarm.Turn, checks: Sequence[Check], texts: list[str], where: str) -> None:
        """Ask the classifiers of the project. Raises Refusal."""
        for check in checks:
            if not isinstance(check, JudgeCheck) or not texts:
                continue
            answer = await turn.ask(CLASSIFY, {"input": texts}, model=check.model)
            worst = max(_scores(answer, check.labels), default=("", 0.0), key=lambda score: score[1])
            if worst[1] < check.threshold:
                continue
            if check.action == "refuse":
                raise Refusal(f"judge {check.model}")
            turn.note(
                "guard", where=where, check="judge", model=check.model, action="flag", label=worst[0], score=worst[1]
            )


def _scores(answer: Any, labels: Sequence[str]) -> list[tuple[str, float]]:
    """How much each text is of each label that is not wanted."""
    return [
        (label, float(score))
        for row in answer["data"]
        for label, score in zip(row.get("labels") or [row.get("label")], row["probs"], strict=False)
        if label in labels
    ]


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content] if content else []
    return [part["text"] for part in content or () if isinstance(part, Mapping) and part.get("text")]


def _note(turn: llamafarm.Turn, where: str, scanner: Scanner, refused_by: str | None = None) -> None:
    for (check, action), times in scanner.found.items():
        if action != "refuse" or check == refused_by:
            turn.note("guard", where=where, check=check, action=action, times=times)
