"""The JSON Schema (2020-12) of llamafarm.yaml, with everything that the installed plugins add to it.

It accepts what the loader accepts, a `${VARIABLE}` in the place of any scalar included. What only the loader can know
(names that are not there or stand twice, variables that are set nowhere) is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from llamafarm.config.settings import NAME_PATTERN, Prompt, Prompts, Settings
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.records import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section

Schema = dict[str, Any]

_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}


def schema(plugins: PluginManager) -> Schema:
    """Return the schema. All plugins are loaded; those that do not work are left out (see `plugins.warnings`)."""
    return _Builder(plugins).document()


class _Builder:
    def __init__(self, plugins: PluginManager) -> None:
        self._providers = plugins.providers()
        self._handlers = plugins.agent_handlers()
        self._fragments = plugins.fragments()
        self._refs, self._definitions = _definitions(self._models())

    def document(self) -> Schema:
        settings = self._definition(Settings)
        properties = {
            **settings["properties"],
            "runtime": {"$ref": "#/$defs/runtime"},
            "prompts": self._prompts(),
            "handler": _chain(self._handlers),
            "handlers": self._options("Options of agent handlers, by the handler's name."),
            **self._sections(),
        }
        order = sorted(properties, key=lambda key: CORE_SECTIONS.index(key) if key in CORE_SECTIONS else 99)
        body = {
            "title": "llamafarm.yaml",
            "type": "object",
            "properties": {key: properties[key] for key in order},
            "additionalProperties": False,
            "$defs": {**self._shared(), **self._runtime(), "variable": _VARIABLE},
        }
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_with_variables(body)}

    def _models(self) -> Iterable[type[BaseModel]]:
        yield from (Settings, Prompts, Prompt)
        yield from (spec.entry for spec in self._providers.values())
        yield from (spec.options for spec in self._handlers.values() if spec.options)
        yield from (fragment.model for fragment in self._fragments)

    def _ref(self, model: type[BaseModel]) -> Schema:
        return {"$ref": self._refs[model]}

    def _definition(self, model: type[BaseModel]) -> Schema:
        found: Schema = self._definitions[self._refs[model].rsplit("/", 1)[1]]
        return found

    def _shared(self) -> Schema:
        """The definitions that are referred to; the fields of the others stand in the place of the reference."""
        inlined: list[type[BaseModel]] = [Settings, *(spec.entry for spec in self._providers.values())]
        names = {self._refs[model].rsplit("/", 1)[1] for model in inlined}
        return {name: one for name, one in self._definitions.items() if name not in names}

    def _sections(self) -> Schema:
        return {one.at.key: self._ref(one.model) for one in self._fragments if isinstance(one.at, Section)}

    def _prompts(self) -> Schema:
        messages = {"type": "array", "items": self._ref(Prompt)}
        unnamed = {**self._definition(Prompts), "required": ["messages"]}
        by_name = {"anyOf": [{"type": "string"}, messages, unnamed]}
        return {
            "description": "Messages that are put before a conversation: sets, or the messages of one set.",
            "anyOf": [
                {"type": "array", "items": self._ref(Prompts)},
                {"type": "object", "propertyNames": {"pattern": NAME_PATTERN}, "additionalProperties": by_name},
                messages,
                {"type": "null"},
            ],
        }

    def _options(self, description: str, *, partial: bool = False) -> Schema:
        """Options by the names of handlers. partial: only some of each, since the others come from the project."""
        return {
            "description": description,
            "type": "object" if partial else ["object", "null"],
            "properties": {name: self._handler_options(spec, partial) for name, spec in self._handlers.items()},
            "additionalProperties": False,
        }

    def _handler_options(self, spec: AgentHandlerSpec, partial: bool) -> Schema:
        nothing = {"type": "object" if partial else ["object", "null"], "maxProperties": 0}
        if spec.options is None:
            return nothing
        if partial:
            return {key: value for key, value in self._definition(spec.options).items() if key != "required"}
        return {"anyOf": [self._ref(spec.options), nothing]}

    def _runtime(self) -> Schema:
        entry = {"$ref": "#/$defs/entry"}
        default = {"type": "string", "description": "The model of a request that names none; else the first."}
        models = {
            "description": "The models of the project: a list, or a mapping from their names.",
            "anyOf": [
                {"type": "array", "items": {**entry, "required": ["name"], "unevaluatedProperties": False}},
                {"type": "object", "additionalProperties": {**entry, "unevaluatedProperties": False}},
                {"type": "null"},
            ],
        }
        several = {"properties": {"default_model": default, "models": models}, "additionalProperties": False}
        one = {**entry, "properties": {"default_model": default}, "unevaluatedProperties": False}
        is_one = {"required": ["provider"], "not": {"required": ["models"]}}
        return {
            "runtime": {"type": ["object", "null"], "if": {"type": "object", **is_one}, "then": one, "else": several},
            "entry": self._entry(),
            **{_key(spec): self._entry_of(spec) for spec in self._providers.values()},
        }

    def _entry(self) -> Schema:
        """Any entry: what its provider says of it."""
        names: Schema = {"enum": list(self._providers)} if self._providers else {"not": {}}
        cases: list[Schema] = [
            {
                "if": {"properties": {"provider": {"const": spec.name}}, "required": ["provider"]},
                "then": {"$ref": f"#/$defs/{_key(spec)}"},
            }
            for spec in self._providers.values()
        ]
        provider: Schema = {"description": "What executes the model.", **names}
        by_variable = {"properties": {"provider": _VARIABLE}, "required": ["provider"]}
        cases.append({"if": by_variable, "then": {"additionalProperties": True}})  # who knows what its fields are
        found: Schema = {"type": "object", "required": ["provider", "model"], "properties": {"provider": provider}}
        return {**found, "allOf": cases}

    def _entry_of(self, spec: ProviderSpec) -> Schema:
        """The fields of one provider's entries, open, so that each form of `runtime` can close them its own way."""
        own = self._definition(spec.entry)
        blocks = {one.at.key: self._ref(one.model) for one in self._fragments if _is_block(one, spec)}
        fields = spec.entry.model_fields
        own_options = str(fields["handler_options"].description)
        handlers = {
            "handler": {**_chain(self._handlers), "description": fields["handler"].description},
            "handler_options": self._options(own_options, partial=True),
            "allow_handlers": {**_names(self._handlers), "description": fields["allow_handlers"].description},
        }
        required = [key for key in own.get("required", ()) if key not in ("name", "provider")]
        properties = {**own["properties"], "provider": {"const": spec.name}, **handlers, **blocks}
        return {"description": spec.summary, "type": "object", "properties": properties, "required": required}


def _definitions(models: Iterable[type[BaseModel]]) -> tuple[dict[type[BaseModel], str], Schema]:
    """Where each model's schema is, and all of them; models of one name are told apart by pydantic."""
    wanted = list(dict.fromkeys(models))
    refs, generated = models_json_schema([(model, "validation") for model in wanted])
    return {model: refs[model, "validation"]["$ref"] for model in wanted}, generated.get("$defs", {})


def _key(spec: ProviderSpec) -> str:
    return f"entry.{spec.name}"


def _is_block(fragment: ConfigFragment, spec: ProviderSpec) -> bool:
    return isinstance(fragment.at, EntryBlock) and fragment.at.provider in (None, spec.name)


def _chain(handlers: Mapping[str, AgentHandlerSpec]) -> Schema:
    several = _names(handlers)
    return {"anyOf": [several["items"], several, {"type": "null"}]}


def _names(handlers: Mapping[str, AgentHandlerSpec]) -> Schema:
    name: Schema = {"enum": list(handlers)} if handlers else {"not": {}}
    return {"type": "array", "items": name, "uniqueItems": True}


def _with_variables(node: Any, *, closed: bool = False) -> Any:
    """The same schema, but that a `${VARIABLE}` may stand for every scalar that is not any text anyway.

    closed: inside `if` and `not`, where that would change what is asked.
    """
    if isinstance(node, list):
        return [_with_variables(item, closed=closed) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _inside(key, value, closed) for key, value in node.items()}
    if closed or not _is_narrow(node):
        return kept
    told = {key: kept.pop(key) for key in ("description", "title", "default") if key in kept}
    return {**told, "anyOf": [kept, {"$ref": "#/$defs/variable"}]}


def _inside(key: str, value: Any, closed: bool) -> Any:
    if key in ("enum", "const", "default", "examples", "required", "propertyNames", "title", "description"):
        return value
    if key in ("properties", "$defs", "patternProperties"):
        return {
            name: item if (key, name) == ("$defs", "variable") else _with_variables(item, closed=closed)
            for name, item in value.items()
        }
    return _with_variables(value, closed=closed or key in ("if", "not"))


def _is_narrow(node: Schema) -> bool:
    """Whether it takes only some scalars."""
    return (
        "enum" in node or "const" in node or node.get("type") in ("integer", "number", "boolean") or "pattern" in node
    )
