"""Variables of prompts that llamafarm.yaml itself gives no value."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from llamafarm.config.context import Loading
from llamafarm.config.entries import Entry
from llamafarm.config.problems import KeyPath
from llamafarm.config.settings import Prompts, Settings
from llamafarm.handlers.variables import variables_in
from llamafarm.providers.entry import ModelEntry


def warn(settings: Settings, models: Iterable[Entry], loading: Loading) -> None:
    """Warn of each variable without a default that some model is not given: its requests must give it."""
    entries = [entry for entry in models if isinstance(entry, ModelEntry)]
    for (place, _), prompts in zip(loading.mappings("prompts"), settings.prompts or (), strict=False):
        using = [entry for entry in entries if prompts.name in (entry.prompts or [prompts.name])]
        for where, name in _required(prompts, place):
            lacking = [entry.name for entry in using if name not in chain(entry.variables, settings.variables)]
            if lacking:
                message = (
                    f"the variable {name!r} has no default and no value here: every request to "
                    f"{', '.join(lacking)} must give it, in its field `variables`."
                )
                loading.warnings.append(loading.problems.located(where, message))


def _required(prompts: Prompts, place: KeyPath) -> Iterable[tuple[KeyPath, str]]:
    """The variables that have no default, each with the place of the message that names it."""
    for number, message in enumerate(prompts.messages):
        names = {name: None for name, default in variables_in(message.content) if default is None}
        yield from (((*place, "messages", number, "content"), name) for name in names)
