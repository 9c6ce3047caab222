"""Model entries: each validated by its own provider, its blocks by the plugins that brought them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from llamafarm.config import handlers, parameters
from llamafarm.config.context import Loading
from llamafarm.config.normalize import Part
from llamafarm.config.problems import KeyPath, nearest, not_among
from llamafarm.errors import ConfigError, LlamaFarmError, PluginError
from llamafarm.http.address import normalize_base_url
from llamafarm.project import BrokenEntry
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import EntryBlock, ProviderSpec

Entry = ModelEntry | BrokenEntry
Error = TypeVar("Error", bound=LlamaFarmError)
COMMON = frozenset(ModelEntry.model_fields)
"""The keys of every entry, whatever its provider."""


_TYPOGRAPHIC = tuple("“”„‟‘’‚‛«»")


def build(part: Part, loading: Loading) -> Entry | None:
    """The entry, or a broken one where its provider or a variable is not there; None where problems were noted."""
    missing = loading.missing_below(part.path)
    if ("name",) in missing:
        return None  # noted as a problem of the file: nothing could address the entry
    _note_typographic_quotes(part, loading)
    part = _with_provider(part, loading)
    provider = part.data.get("provider")
    if not isinstance(provider, str):
        _check_common(part, loading)
        return None
    try:
        if ("provider",) in missing:
            raise _located(missing_variable(missing["provider",]), (*part.path, "provider"), loading)
        spec = loading.plugins.provider(provider)
        entry = _validated(part, spec, loading)
        if entry is not None:
            handlers.check(entry, part.path, loading)
        return entry
    except PluginError as error:
        broken: LlamaFarmError = _located(error, (*part.path, "provider"), loading)
    except ConfigError as error:
        broken = error
    _check_common(part, loading)
    return BrokenEntry(part.name, provider, str(part.data.get("model", "")), broken)


def _with_provider(part: Part, loading: Loading) -> Part:
    """The entry with the key that was meant as `provider`, so that everything else in it is checked too."""
    meant = None if "provider" in part.data else nearest("provider", part.data)
    if meant is None:
        return part
    loading.problems.add((*part.path, meant), "unknown key; did you mean 'provider'?")
    return replace(part, data={"provider" if key == meant else key: value for key, value in part.data.items()})


def _check_common(part: Part, loading: Loading) -> None:
    """Note what is wrong whatever the provider, where that is not known."""
    loading.checked(ModelEntry, {key: value for key, value in part.data.items() if key in COMMON}, part.path)


def _note_typographic_quotes(part: Part, loading: Loading) -> None:
    for key, value in part.data.items():
        if isinstance(value, str) and value.startswith(_TYPOGRAPHIC) and key != "description":
            message = f"begins with {value[0]}, which is a part of the text; YAML's quotes are \" and '"
            loading.problems.add((*part.path, key), message)


def missing_variable(name: str) -> ConfigError:
    """The error about a variable that is set nowhere."""
    hint = f"Set it in the environment or in a file .env beside the configuration, or write ${{{name}:-default}}."
    return ConfigError(f"the variable {name} is not set", hint=hint)


def _located(error: Error, path: KeyPath, loading: Loading) -> Error:
    """The same error, with its place in the file before its message."""
    error.message = loading.problems.located(path, error.message)
    return error


def _validated(part: Part, spec: ProviderSpec, loading: Loading) -> ModelEntry | None:
    """The entry, None where problems were noted. Raises ConfigError where a variable is missing, and PluginError."""
    own = set(spec.entry.model_fields)
    blocks, data = _blocks(part, spec, own, loading)
    entry = loading.checked(spec.entry, data, part.path, _block_keys(spec, set(data) - own, loading))
    parameters.check(part, spec, entry, loading)
    for place, name in loading.missing_below(part.path).items():
        raise _located(missing_variable(name), (*part.path, *place), loading)
    if entry is not None:
        entry._blocks.update(blocks)
        _check_base_url(entry, part, loading)
    return entry


def _blocks(
    part: Part, spec: ProviderSpec, own: set[str], loading: Loading
) -> tuple[dict[str, BaseModel], dict[str, Any]]:
    """The validated blocks of plugins, and the rest of the entry. PluginError where a block's plugin is broken."""
    blocks: dict[str, BaseModel] = {}
    rest: dict[str, Any] = {}
    for key, value in part.data.items():
        fragment = None if key in own else loading.plugins.fragment(EntryBlock(key, spec.name))
        if fragment is None:
            rest[key] = value
        elif (block := loading.checked(fragment.model, value, (*part.path, key))) is not None:
            blocks[key] = block
    return blocks, rest


def _block_keys(spec: ProviderSpec, unknown: set[str], loading: Loading) -> tuple[str, ...]:
    """The keys of the blocks that plugins add, for the message about an unknown key."""
    if not unknown:
        return ()
    places = [fragment.at for fragment in loading.plugins.fragments()]
    return tuple(at.key for at in places if isinstance(at, EntryBlock) and at.provider in (None, spec.name))


def _check_base_url(entry: ModelEntry, part: Part, loading: Loading) -> None:
    if entry.base_url is None:
        return
    try:
        normalize_base_url(entry.base_url)
    except ValueError as error:
        loading.problems.add((*part.path, "base_url"), str(error))


def check_prompts(entries: Iterable[tuple[Part, Entry]], sets: set[str], loading: Loading) -> None:
    """Note names of prompt sets that are not there."""
    for part, entry in entries:
        for number, name in enumerate(entry.prompts if isinstance(entry, ModelEntry) else ()):
            if name not in sets:
                message = not_among(f"there is no prompt set {name!r}", name, sorted(sets), "Sets")
                loading.problems.add((*part.path, "prompts", number), message)


def check_default(parts: list[Part], runtime: Any, loading: Loading) -> str | None:
    """Return `runtime.default_model`; note one that is not there, and a second entry that is marked `default`."""
    marked = [part for part in parts if part.data.get("default") is True]
    for part in marked[1:]:
        line, _ = loading.problems.mark((*marked[0].path, "default"))
        message = f"the entry {marked[0].name!r} is the default already (line {line})"
        loading.problems.add((*part.path, "default"), message)
    wanted = runtime.get("default_model") if isinstance(runtime, dict) else None
    names = list(dict.fromkeys(part.name for part in parts))
    if wanted is not None and wanted not in names and ("runtime", "default_model") not in loading.values.missing:
        message = not_among(f"there is no model {wanted!r}", str(wanted), names, "Models")
        loading.problems.add(("runtime", "default_model"), message)
    return wanted if isinstance(wanted, str) else None
