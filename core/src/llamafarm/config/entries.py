"""Model entries: each validated by its own provider, its blocks by the plugins that brought them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from llamafarm.config import handlers, parameters
from llamafarm.config.context import Loading
from llamafarm.config.problems import KeyPath, in_one_line, nearest, not_among
from llamafarm.config.secrets import mask_error
from llamafarm.config.words import allowed, unknown_key
from llamafarm.errors import ConfigError, LlamaFarmError, PluginError
from llamafarm.http.address import normalize_base_url
from llamafarm.plugins.blame import blaming
from llamafarm.project import BrokenEntry
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import EntryBlock, ProviderSpec, Section

Entry = ModelEntry | BrokenEntry
Fields = dict[str, Any]
"""An entry as it stands in the file, with its variables filled in."""

_TYPOGRAPHIC = tuple("“”„‟‘’‚‛«»")


def build(fields: Fields, path: KeyPath, loading: Loading) -> Entry | None:
    """The entry, or a broken one where its provider or a variable is not there; None where problems were noted."""
    _note_typographic_quotes(fields, path, loading)
    fields = _with_provider(fields, path, loading)
    provider = fields.get("provider")
    if not isinstance(provider, str):
        _check_common(fields, path, loading)
        return None
    try:
        _refuse_missing((*path, "provider"), loading)
        entry = _validated(fields, path, loading.plugins.provider(provider), loading)
        if entry is not None:
            handlers.check(entry, path, loading)
            _note_remarks(entry, path, loading)
            _check_variants(entry, path, loading)
        return entry
    except PluginError as error:
        error.message = loading.problems.located((*path, "provider"), error.message)
        broken: LlamaFarmError = error
    except ConfigError as error:
        broken = error
    _check_common(fields, path, loading)
    loading.problems.harmless[in_one_line(broken)] = loading.problems.place((*path, "provider")).mark
    mask_error(broken, loading.secrets)
    return BrokenEntry(str(fields.get("name")), provider, str(fields.get("model", "")), broken)


def _with_provider(fields: Fields, path: KeyPath, loading: Loading) -> Fields:
    """The entry with the key that was meant as `provider`, so that everything else in it is checked too."""
    meant = None if "provider" in fields else nearest("provider", fields)
    if meant is None:
        return fields
    loading.problems.add((*path, meant), "unknown key; did you mean 'provider'?")
    return {"provider" if key == meant else key: value for key, value in fields.items()}


def _check_common(fields: Fields, path: KeyPath, loading: Loading) -> None:
    """Note what is wrong whatever the provider, where that is not known."""
    loading.checked(ModelEntry, {key: value for key, value in fields.items() if key in ModelEntry.model_fields}, path)


def _note_typographic_quotes(fields: Fields, path: KeyPath, loading: Loading) -> None:
    for key, value in fields.items():
        if isinstance(value, str) and value.startswith(_TYPOGRAPHIC) and key != "description":
            message = f"begins with {value[0]}, which is a part of the text; YAML's quotes are \" and '"
            loading.problems.add((*path, key), message)


def missing_variable(name: str) -> ConfigError:
    """The error about a variable that is set nowhere."""
    hint = f"Set it in the environment or in a file .env beside the configuration, or write ${{{name}:-default}}."
    return ConfigError(f"the variable {name} is not set", hint=hint)


def _refuse_missing(path: KeyPath, loading: Loading) -> None:
    """Raise ConfigError for the first variable at or below `path` that is set nowhere."""
    for place, name in loading.missing(path):
        error = missing_variable(name)
        error.message = loading.problems.located(place, error.message)
        raise error


def _validated(fields: Fields, path: KeyPath, spec: ProviderSpec, loading: Loading) -> ModelEntry | None:
    """The entry, None where problems were noted. Raises ConfigError where a variable is missing, and PluginError."""
    blocks, own = _blocks(fields, path, spec, loading)
    entry = loading.checked(spec.entry, own, path)
    parameters.check(fields, path, spec, entry, loading)
    _refuse_missing(path, loading)
    if entry is not None:
        entry._blocks.update(blocks)
        _check_base_url(entry, path, loading)
        _check_prompts(entry, path, loading)
    return entry


def _blocks(fields: Fields, path: KeyPath, spec: ProviderSpec, loading: Loading) -> tuple[dict[str, BaseModel], Fields]:
    """The validated blocks of plugins, and the fields of the provider; note keys that nobody knows.

    Raises PluginError where a block's plugin is broken.
    """
    known = allowed(spec.entry, ())
    blocks: dict[str, BaseModel] = {}
    for key in [key for key in fields if key not in known]:
        fragment = loading.plugins.fragment(EntryBlock(key, spec.name))
        if fragment is None:
            message = _elsewhere(key, loading) or unknown_key(key, (*known, *_block_keys(spec, loading)))
            loading.problems.add((*path, key), message)
        elif (block := loading.checked(fragment.model, fields[key], (*path, key))) is not None:
            blocks[key] = block
    return blocks, {key: value for key, value in fields.items() if key in known}


def _elsewhere(key: str, loading: Loading) -> str | None:
    """Where a key belongs that an entry does not have: to the options of an agent handler, or to the whole project."""
    for name, handler in loading.plugins.agent_handlers().items():
        if handler.options is not None and key in allowed(handler.options, ()):
            place = f"handler_options.{name}.{key}"
            return f"is an option of the agent handler {name!r}: write `{place}`, or `handlers.{name}.{key}` for all"
    sections = [fragment.at for fragment in loading.plugins.fragments() if isinstance(fragment.at, Section)]
    if Section(key) in sections:
        return "is a section of the whole project: write it at the top of the file, beside `runtime`"
    return None


def _block_keys(spec: ProviderSpec, loading: Loading) -> list[str]:
    """The keys of the blocks that plugins add to the provider's entries."""
    places = [fragment.at for fragment in loading.plugins.fragments()]
    return [at.key for at in places if isinstance(at, EntryBlock) and at.provider in (None, spec.name)]


def _check_base_url(entry: ModelEntry, path: KeyPath, loading: Loading) -> None:
    if entry.base_url is None:
        return
    try:
        normalize_base_url(entry.base_url)
    except ValueError as error:
        loading.problems.add((*path, "base_url"), str(error))


def _check_prompts(entry: ModelEntry, path: KeyPath, loading: Loading) -> None:
    """Note names of prompt sets that are not there."""
    sets = set(loading.names("prompts").values())
    for number, name in enumerate(entry.prompts):
        if name not in sets:
            message = not_among(f"there is no prompt set {name!r}", name, sorted(sets), "Sets")
            loading.problems.add((*path, "prompts", number), message)


def _note_remarks(entry: ModelEntry, path: KeyPath, loading: Loading) -> None:
    """Warn of what an entry says and nobody does."""
    with blaming(f"The provider {entry.provider!r}", PluginError):
        remarks = [*handlers.remarks(entry, loading), *entry.remarks()]
    loading.warnings.extend(loading.problems.located((*path, key), f"{message}.") for key, message in remarks)


def _check_variants(entry: ModelEntry, path: KeyPath, loading: Loading) -> None:
    """Note what comes with an entry and is called as another one is. Raises PluginError where the provider fails."""
    with blaming(f"The provider {entry.provider!r}", PluginError):
        variants = [variant.name for variant in entry.variants()]
    for place, name in loading.names("runtime", "models").items():
        if name in variants:
            line, _ = loading.problems.place((*place, "name")).mark
            message = f"with what comes with it, there is a model {name!r}, as the entry in line {line} is called"
            loading.problems.add((*path, "name"), message)


def with_variants(entry: Entry) -> list[Entry]:
    """The entry, and those that come with it."""
    return [entry] if isinstance(entry, BrokenEntry) else [entry, *entry.variants()]


def check_default(variants: Iterable[str], loading: Loading) -> None:
    """Note a `runtime.default_model` that is not there, and a second entry that is marked `default`.

    variants: the names of models that come with entries.
    """
    names = loading.names("runtime", "models")
    marked = [path for path, fields in loading.mappings("runtime", "models") if fields.get("default") is True]
    for path in marked[1:]:
        line, _ = loading.problems.place((*marked[0], "default")).mark
        message = f"the entry {names.get(marked[0])!r} is the default already (line {line})"
        loading.problems.add((*path, "default"), message)
    place = ("runtime", "default_model")
    default, known = loading.text(*place), list(dict.fromkeys([*names.values(), *variants]))
    if default is not None and default not in known and place not in loading.values.missing:
        loading.problems.add(place, not_among(f"there is no model {default!r}", default, known, "Models"))
