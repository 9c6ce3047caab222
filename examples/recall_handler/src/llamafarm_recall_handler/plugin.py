"""The plugin: registers the agent handler `recall`, its options and the request field that is its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.wire import EMBEDDINGS
from pydantic import StrictBool

from llamafarm_recall_handler.options import RecallOptions

if TYPE_CHECKING:
    from llamafarm_recall_handler.handler import RecallHandler


def build(options: RecallOptions) -> RecallHandler:
    """The handler with the options of one model entry."""
    from llamafarm_recall_handler.handler import RecallHandler

    return RecallHandler(options)


def check(options: RecallOptions, project: llamafarm.Project, entry: llamafarm.ModelEntry) -> Iterable[str]:  # noqa: ARG001
    """What llamafarm.yaml lacks: a model that makes vectors."""
    if objection := project.objection(options.embedder, EMBEDDINGS):
        yield objection


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="recall",
        summary="Shows the model the notes that lie near a question, and names them as sources.",
        build=build,
        options=RecallOptions,
        fields={"recall": StrictBool | None},
        check=check,
    )
