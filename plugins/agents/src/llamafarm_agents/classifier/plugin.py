"""The plugin: registers the agent handler `classifier`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.wire import CHAT

from llamafarm_agents.classifier.method import OPERATIONS, method_of
from llamafarm_agents.classifier.options import ClassifierOptions

if TYPE_CHECKING:
    from llamafarm_agents.classifier.handler import ClassifierHandler


def build(options: ClassifierOptions) -> ClassifierHandler:
    """The handler of one model entry."""
    from llamafarm_agents.classifier.handler import ClassifierHandler

    return ClassifierHandler(options)


def check(options: ClassifierOptions, project: llamafarm.Project, entry: llamafarm.ModelEntry) -> Iterable[str]:
    """A model that is none of the project or cannot do its method, and classes that the method cannot tell apart."""
    name = options.model or entry.name
    asked = next((each for each in project.models if each.name == name), None)
    known = method_of(asked) if isinstance(asked, llamafarm.ModelEntry) else None
    if method := options.method or known:
        return filter(None, (project.objection(name, OPERATIONS[method]), options.problem(method)))
    return filter(None, [project.objection(name, CHAT)])


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="classifier",
        summary="Sorts what users write into classes, with scores.",
        build=build,
        options=ClassifierOptions,
        check=check,
    )
