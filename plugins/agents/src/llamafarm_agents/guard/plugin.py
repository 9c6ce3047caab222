"""The plugin: registers the agent handler `guard`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.wire import CLASSIFY

from llamafarm_agents.guard.options import GuardOptions, JudgeCheck

if TYPE_CHECKING:
    from llamafarm_agents.guard.handler import GuardHandler


def build(options: GuardOptions) -> GuardHandler:
    """The handler of one model entry."""
    from llamafarm_agents.guard.handler import GuardHandler

    return GuardHandler(options)


def check(options: GuardOptions, project: llamafarm.Project, entry: llamafarm.ModelEntry) -> Iterable[str]:  # noqa: ARG001
    """Judges that are no models of the project, or that classify nothing."""
    judges = [check.model for check in (*options.before, *options.after) if isinstance(check, JudgeCheck)]
    return filter(None, (project.objection(judge, CLASSIFY) for judge in dict.fromkeys(judges)))


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="guard",
        summary="Checks of what users write and of what models say.",
        build=build,
        options=GuardOptions,
        check=check,
    )
