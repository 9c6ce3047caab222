"""What the handler's options need of the rest of llamafarm.yaml."""

from __future__ import annotations

from collections.abc import Iterator

import llamafarm
from llamafarm.errors import UsageError
from llamafarm.wire import CHAT, RERANK

from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.answering.place import usual_place


def check_answering(
    options: RagOptions,
    project: llamafarm.Project,
    entry: llamafarm.ModelEntry,  # noqa: ARG001 - what a check is called with
) -> Iterator[str]:
    """A section, names and models that are not there, and models that cannot do what they are named for."""
    try:
        usual_place(project, options)
    except UsageError as error:
        yield " ".join(str(error).splitlines())
    if options.verify_model is not None and (lack := project.objection(options.verify_model, RERANK)):
        yield lack
    if options.rewrite not in ("auto", "off") and (lack := project.objection(options.rewrite, CHAT)):
        yield lack
