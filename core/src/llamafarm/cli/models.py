"""`lf models`: the group of its commands, and what they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import uuid4

import click

from llamafarm.cli.app import App
from llamafarm.cli.lazy import LazyGroup, Row

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.gateway import Context
    from llamafarm.gateway.models import RuntimeModels
    from llamafarm.providers.base import Progress
    from llamafarm.providers.entry import ModelEntry

Result = TypeVar("Result")
Work: TypeAlias = "Callable[[RuntimeModels, ModelEntry, Context], Awaitable[Result]]"

ROWS = {
    "list": Row("llamafarm.cli.models_list:list_", "The model entries, and whether their runtimes answer."),
    "pull": Row("llamafarm.cli.models_pull:pull", "Have a runtime fetch a model."),
    "show": Row("llamafarm.cli.models_show:show", "What a runtime says of one model."),
    "status": Row("llamafarm.cli.models_status:status", "Which models are there, and which are in memory."),
    "rm": Row("llamafarm.cli.models_rm:rm", "Delete a model at its runtime."),
}
STATUS_SECONDS = 5.0
"""How long a runtime may take to say how one model is."""

provider_option = click.option(
    "--provider", "-p", metavar="PROVIDER", help="Whose model it is, where NAME is the runtime's own id."
)


@click.group(cls=LazyGroup, rows=ROWS, prefix="models.")
def models() -> None:
    """The models of this project, and those that its runtimes have.

    NAME is a model entry of llamafarm.yaml, or a runtime's own id with `--provider`, which needs no llamafarm.yaml:

    \b
    lf models pull qwen3:8b --provider ollama
    """


def with_model(
    app: App, name: str, provider: str | None, work: Work[Result], progress: Callable[[Progress], None] | None = None
) -> tuple[ModelEntry, Result]:
    """Do `work` with the model that is meant; return its entry and the result. Progress is shown unless it is taken."""
    from llamafarm.cli.progress import ProgressLine
    from llamafarm.gateway import Context

    async def done(farm: Farm) -> tuple[ModelEntry, Result]:
        models = farm.gateway.runtime_models
        entry = models.named(farm.project, name, provider)
        with ProgressLine() as line:
            return entry, await work(models, entry, Context(uuid4().hex, progress=progress or line))

    return app.run(done, app.project_or_none)
