"""Agent handlers in a configuration: chains of them, those that a request may choose, and their options."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from llamafarm.config.context import Loading
from llamafarm.config.problems import KeyPath, in_one_line
from llamafarm.errors import ConfigError, PluginError
from llamafarm.handlers.select import SIMPLE, chain_names, options_for
from llamafarm.plugins.blame import blaming
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry, chain

STRUCTURED = "structured"
SECTION: KeyPath = ("handlers",)
"""Where the project's options of handlers stand."""


def check_project(handler: str | list[str] | None, loading: Loading) -> dict[str, BaseModel]:
    """Note what is wrong with the chain of every entry that names none; return the project's options of handlers."""
    section = _project_section(loading)
    try:
        _check_names(handler, ("handler",), section, loading)
    except PluginError as error:
        loading.problems.add(("handler",), in_one_line(error))
    found = {name: _options(name, own, None, (*SECTION, name), loading) for name, own in section.items()}
    return {name: options for name, options in found.items() if options is not None}


def check(entry: ModelEntry, path: KeyPath, loading: Loading) -> None:
    """Note what is wrong with the handlers of an entry, and keep their validated options in it.

    Raises PluginError for a handler of its chain that is broken.
    """
    defaults = _project_section(loading)
    with_options = {*defaults, *entry.handler_options}
    _check_names(entry.handler, (*path, "handler"), with_options, loading)
    _check_names(entry.allow_handlers, (*path, "allow_handlers"), with_options, loading)
    for name, own in entry.handler_options.items():
        options = _options(name, own, defaults.get(name), (*path, "handler_options", name), loading)
        if options is not None:
            entry._options[name] = options


def check_needs(project: Project, loading: Loading) -> None:
    """Note what the handlers of each entry need and do not have, as they say themselves (`AgentHandlerSpec.check`)."""
    for path, name in loading.names("runtime", "models").items():
        entry = project.named(name)
        if not isinstance(entry, ModelEntry):
            continue
        used = [handler for handler in chain_names(project, entry) if handler != SIMPLE]  # which needs nothing
        allowed = [handler for handler in entry.allow_handlers if handler not in used]
        for key, handlers in (("handler", used), ("allow_handlers", allowed)):
            for handler in handlers:
                for lack in _lacks(handler, project, entry, loading):
                    loading.problems.add((*path, key), lack)


def _lacks(handler: str, project: Project, entry: ModelEntry, loading: Loading) -> list[str]:
    try:
        spec = loading.plugins.agent_handler(handler)
        with blaming(f"The agent handler {handler!r}", ConfigError):
            lacks = spec.check(options_for(spec, project, entry), project, entry) if spec.check else ()
            return [f"the agent handler {handler!r}: {lack}" for lack in lacks]
    except ConfigError as error:
        return [in_one_line(error)]
    except PluginError:
        return []  # it is not there, which is told elsewhere


def _project_section(loading: Loading) -> dict[str, Any]:
    section = loading.values.data.get(SECTION[0])
    return section if isinstance(section, dict) else {}


def remarks(entry: ModelEntry, loading: Loading) -> Iterator[tuple[str, str]]:
    """What an entry says about structured answers where no handler is there that reads it."""
    asked = [key for key in ("instructor_mode", "prompt_format") if getattr(entry, key) not in (None, "unstructured")]
    if not asked:
        return
    try:
        loading.plugins.agent_handler(STRUCTURED)
    except PluginError as error:
        for key in asked:
            yield key, f"has no effect without the agent handler {STRUCTURED!r}: {in_one_line(error)}"


def _check_names(
    handler: str | Sequence[str] | None, path: KeyPath, with_options: Container[str], loading: Loading
) -> None:
    """Note a handler that is unknown, named twice, or not given the options that it needs.

    Raises PluginError for one that is broken.
    """
    names = chain(handler)
    for number, name in enumerate(names):
        place = path if isinstance(handler, str) else (*path, number)
        if name in names[:number]:
            loading.problems.add(place, f"the agent handler {name!r} is named twice")
        try:
            options = loading.plugins.agent_handler(name).options
        except PluginError as error:
            if error.code != "plugin_not_installed":
                raise
            loading.problems.add(place, in_one_line(error))
            continue
        if (
            options is not None
            and name not in with_options
            and isinstance(loading.validated(options, {}), ValidationError)
        ):
            loading.problems.add(place, f"the agent handler {name!r} needs options: write them in `handlers.{name}`")


def _options(name: str, own: Any, project: Any, place: KeyPath, loading: Loading) -> BaseModel | None:
    """The options of a handler that stand at `place`, validated, over those of the project.

    None where it has none, or is not there, or something is wrong, which is noted.
    """
    try:
        model = loading.plugins.agent_handler(name).options
    except PluginError as error:
        loading.problems.add(place, in_one_line(error))
        return None
    if model is None:
        if own:
            loading.problems.add(place, f"the agent handler {name!r} takes no options")
        return None
    own = {} if own is None else own
    inherited = {key: value for key, value in project.items() if key not in own} if isinstance(project, dict) else {}
    return loading.checked(model, {**inherited, **own} if inherited else own, place, elsewhere=inherited)
