"""Which model a name means: an entry of the project, else a runtime's own id, beside which a provider must be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from llamafarm.errors import PluginError, UsageError
from llamafarm.plugins.blame import blaming
from llamafarm.project import NO_PROJECT, Project
from llamafarm.providers.entry import ModelEntry

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.records import ProviderSpec


def named(project: Project, name: str, provider: str | None, plugins: PluginManager) -> ModelEntry:
    """The project's entry of that name, where it is of `provider` or none is given; else an entry for the id `name`.

    Such an id is asked for at the address of the project's first entry of that provider, with its credentials; where
    one of its entries has this very model, that entry is meant. Raises UsageError, and an entry's own error where it is
    broken.
    """
    if not name:
        raise UsageError("The name of the model is empty.", code="model_not_found", param="model")
    if any(entry.name == name and provider in (None, entry.provider) for entry in project.models):
        return project.entry(name)
    if provider is None:
        raise _unknown(project, name, plugins)
    return _of_id(project, name, plugins.provider(provider))


def _of_id(project: Project, model: str, spec: ProviderSpec) -> ModelEntry:
    same = [one for one in project.models if isinstance(one, ModelEntry) and one.provider == spec.name]
    for entry in same:
        if entry.model == model:
            return entry
    given = {"name": model, "provider": spec.name, "model": model}
    try:
        return spec.entry.model_validate({**given, **(_reach(same[0], spec) if same else {})})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the entry"
        raise UsageError(
            f"The provider {spec.name!r} needs more than an id to know {model!r}: {where}: {problem['msg']}.",
            hint="Write a model entry for it in llamafarm.yaml.",
            code="model_not_found",
            param="model",
        ) from None


def _reach(entry: ModelEntry, spec: ProviderSpec) -> dict[str, Any]:
    """What of an entry says where it leads and who asks, and nothing of what it says about its model."""
    with blaming(f"The provider {spec.name!r}", PluginError):
        endpoint = spec.endpoint(entry)
    found = {"base_url": endpoint.base_url, "api_key": entry.api_key, "timeouts": entry.timeouts}
    return {**found, "headers": dict(endpoint.headers)} if "headers" in spec.entry.model_fields else found


def _unknown(project: Project, name: str, plugins: PluginManager) -> UsageError:
    """There is no such entry: the near names, the entries with this model, and the providers that could be meant."""
    if project is NO_PROJECT:
        message = f"There is no llamafarm.yaml here, so that {name!r} names no model entry."
        error = UsageError(message, code="model_not_found", param="model")
    else:
        error = project.unknown(name)
    providers = sorted({entry.provider for entry in project.models}) or sorted(plugins.providers())
    own = (
        "Where it is a runtime's own id, name its provider too (`--provider`, in a request `provider`): "
        f"{', '.join(providers) or 'none'}."
    )
    same = [entry.name for entry in project.models if entry.model == name]
    having = f"It is the model of {', '.join(same)}." if same else ""
    error.hint = " ".join(filter(None, [having, error.hint, own]))
    return error
