"""What LlamaFarm expects of every plugin and every agent handler, held by these."""

from __future__ import annotations

import json
from dataclasses import replace

import llamafarm
from llamafarm_kit.testing import AgentHandlerContract, PluginContract

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class TestStructuredPlugin(PluginContract):
    plugin = "structured"


class TestStructuredWithoutASchema(AgentHandlerContract):
    """Nobody wants anything: the reply passes as it is."""

    handler = "structured"


class TestStructured(AgentHandlerContract):
    """Every answer is held to the schema of the configuration, by the prompt alone."""

    handler = "structured"
    options = {"schema": "person.json", "max_retries": 1}
    files = {"person.json": json.dumps(PERSON)}
    changes = "an answer that may be asked for again is held back until it fits"

    @staticmethod
    def answer(_request):
        return 'Here you are:\n```json\n{"name": "Ada"}\n```'


class TestGuardPlugin(PluginContract):
    plugin = "guard"


class TestGuardWithoutChecks(AgentHandlerContract):
    handler = "guard"


class TestGuard(AgentHandlerContract):
    """Texts are looked through on both sides."""

    handler = "guard"
    options = {
        "before": [{"check": "emails"}, {"check": "length", "most": 10_000}],
        "after": [{"check": "secrets"}, {"check": "patterns", "patterns": ["pigs"]}],
    }
    changes = "a text that is looked through is written anew"


class TestClassifierPlugin(PluginContract):
    plugin = "classifier"


class TestClassifier(AgentHandlerContract):
    """The key that a model says becomes the label."""

    handler = "classifier"
    options = {"labels": {"cows": "Questions about cows.", "pigs": {"examples": ["Where do pigs sleep?"]}}}
    changes = "in the place of what the model says stands a label"

    @staticmethod
    def answer(_request):
        return "A"


class TestClassifierOfSeveralLabels(TestClassifier):
    """One question for each label, side by side."""

    options = {**TestClassifier.options, "multi_label": True}

    @staticmethod
    def answer(_request):
        return "yes"


class TestToolsPlugin(PluginContract):
    plugin = "tools"


class TestToolsWithoutTools(AgentHandlerContract):
    """Nobody has a function: the reply passes as it is."""

    handler = "tools"


class TestToolsInThePrompt(AgentHandlerContract):
    """Functions of the configuration, and a model that is told of them in its prompt."""

    handler = "tools"
    options = {"tools": [{"type": "function", "name": "weigh"}], "tool_call_strategy": "prompt_based"}
    changes = "a text in which calls may stand is read"


class TestTools(AgentHandlerContract):
    """A model that calls a tool of the project, and answers with what it gives."""

    handler = "tools"
    options = {"tool_call_strategy": "prompt_based"}
    changes = "what is called on the way is not sent"

    def bench_of(self, link, project):
        return replace(super().bench_of(link, project), tool_sources={"barn": Barn()})

    @staticmethod
    def answer(request):
        text = str(request["messages"][-1]["content"])
        if "<tool_result>" in text:
            return f"Answered: {text}"
        return f"<tool_call>{json.dumps({'name': 'weigh', 'arguments': {'cow': text}})}</tool_call>"


class Barn:
    """A source with one tool."""

    async def list(self):
        return [llamafarm.Tool("weigh", "The weight of a cow.")]

    async def call(self, name, arguments):
        return llamafarm.ToolResult(f"{arguments['cow']}: 640 kg")

    async def aclose(self):
        pass
