"""The contract of agent handlers: what every conversation relies on, whoever wrote the handler.

from llamafarm_kit.testing import AgentHandlerContract


class TestPolish(AgentHandlerContract):
    handler = "polish"
    options = {"tone": "kind"}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llamafarm.errors import ConfigError, RequestError
from llamafarm.gateway import NEW_SESSION, SESSION_HEADER
from llamafarm.wire import CHAT, OPERATIONS
from pydantic import TypeAdapter, ValidationError

from llamafarm_kit.testing.bench import Bench
from llamafarm_kit.testing.handler_case import Road
from llamafarm_kit.testing.handler_life import HandlerLife
from llamafarm_kit.testing.handler_turns import HandlerTurns
from llamafarm_kit.testing.schemas import default_problems, open_problems, schema_problems

WIRE_FIELDS = frozenset[str]().union(*(operation.fields for operation in OPERATIONS))
"""Of all operations: a handler may ask a model something else than a chat."""
WRONG = ({"no": "such"}, ["no such"], "no such value", -1.5, None, True)
"""Values, one of which any type that says something refuses."""


class AgentHandlerContract(HandlerTurns, HandlerLife):
    """What holds for every agent handler; subclass it and name yours.

    handler: its name. options: its options, as under `handlers:` in llamafarm.yaml. config: further top-level keys
    that it needs there. files: texts of files that it reads, by their names beside llamafarm.yaml. fields: example
    values of its request fields; generated for those that are not given. sends: those that every request has, for a
    handler that does nothing without them. question: what the user says. answer(request): what the model says to a
    request. changes: why it never leaves an answer as it is, for a handler of which that is true. patience: seconds
    that anything may take before it counts as hanging. spec: its record, where it is not installed. xfail: see
    Contract.
    """

    async def test_a_session_keeps_what_the_user_wrote_and_what_the_user_got(self, road: Road) -> None:
        """And nothing that was said in between; the second turn follows the first."""
        session, expected = NEW_SESSION, []
        for question in (self.question, f"{self.question} Again?"):
            reply = await road.ask(question, session=session)
            said = (await reply.completion())["choices"][0]["message"]["content"]
            await reply.aclose()
            session = reply.headers[SESSION_HEADER]
            expected += [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
            assert await road.history(session) == expected

    async def test_a_first_turn_is_answered_alike_with_and_without_a_session(self, road: Road) -> None:
        """Most conversations have no session: the application sends the whole history itself."""
        said = []
        for session in (None, NEW_SESSION):
            reply = await road.ask(self.question, session=session)
            said.append((await reply.completion())["choices"])
            await reply.aclose()
        assert said[0] == said[1]

    async def test_the_other_fields_of_a_request_reach_the_model(self, bench: Bench) -> None:
        """What is not the handler's own is none of its business."""
        model = bench.model()
        await bench.said(model, "frames", turn=bench.turn(model, seed=7, temperature=0.25))
        sent = [turn.request for turn in model.turns]
        assert [(one.get("seed"), one.get("temperature")) for one in sent] == [(7, 0.25)] * len(sent)

    async def test_its_request_fields_are_taken_out_before_the_model_sees_them(self, road: Road) -> None:
        """A runtime refuses fields that it does not know; nor may a handler send it fields that it invents."""
        reply = await road.ask(self.question, **self.example_fields())
        await reply.aclose()
        strange = {name for request in road.model.provider.requests for name in request} - WIRE_FIELDS
        assert not strange, f"the model was sent {sorted(strange)}"

    async def test_its_request_fields_refuse_a_wrong_value(self, road: Road) -> None:
        """As a 400 that names the field, before anything is asked."""
        for name, kind in self.spec.fields.items():
            wrong = [value for value in WRONG if not _accepts(kind, value)]
            assert wrong, f"the type of the request field {name!r} accepts anything"
            with pytest.raises(RequestError) as raised:
                await road.ask(self.question, **{**self.example_fields(), name: wrong[0]})
            assert (raised.value.status, raised.value.param) == (400, name)
        assert road.model.provider.requests == []

    def test_its_request_fields_are_not_the_wires(self) -> None:
        """A handler that took one out would keep it from every model behind it."""
        assert not (taken := sorted(CHAT.fields.intersection(self.spec.fields))), f"the wire has its own {taken}"

    def test_its_options_and_their_defaults_are_valid(self, tmp_path: Path) -> None:
        """Also when llamafarm.yaml says every default itself."""
        project = self.load(tmp_path, self.options)
        if self.spec.options is not None:
            assert not [*default_problems("its options", self.spec.options, self.options)]
        assert set(project.handler_options) <= {self.spec.name}

    def test_an_unknown_option_is_refused(self, tmp_path: Path) -> None:
        """At every depth: a misspelt key is an error, and not a setting without effect."""
        with pytest.raises(ConfigError):
            self.load(tmp_path, {**self.options, "no_such_option": 1})
        if self.spec.options is not None:
            assert not (found := [*open_problems("its options", self.spec.options)]), found

    def test_its_options_and_fields_have_a_valid_json_schema(self) -> None:
        """Draft 2020-12: editors and `lf config schema` read it."""
        kinds: dict[str, Any] = {f"the request field {name!r}": kind for name, kind in self.spec.fields.items()}
        if self.spec.options is not None:
            kinds["its options"] = self.spec.options
        found = [problem for what, kind in kinds.items() for problem in schema_problems(what, kind)]
        assert not found, found


def _accepts(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True
