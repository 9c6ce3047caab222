"""The JSON Schema (2020-12) of llamafarm.yaml, with everything that the installed plugins add to it.

It accepts what the loader accepts, a `${VARIABLE}` in the place of any scalar included. What only the loader can know
(names that are not there or stand twice, variables that are set nowhere) is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from llamafarm.config.settings import NAME_PATTERN, Prompt, Prompts, Runtime, Settings
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.records import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section

Schema = dict[str, Any]

_MODE: Literal["validation"] = "validation"

_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}


def schema(plugins: PluginManager) -> Schema:
    """Return the schema. All plugins are loaded; those that do not work are left out (see `plugins.warnings`)."""
    return _Builder(plugins).document()


class _Builder:
    def __init__(self, plugins: PluginManager) -> None:
        self._providers = plugins.providers()
        self._handlers = plugins.agent_handlers()
        self._fragments = plugins.fragments()
        models = [(model, _MODE) for model in dict.fromkeys(self._models())]
        refs, generated = models_json_schema(models, schema_generator=_WithVariables)  # tells models of one name apart
        self._names: dict[type[BaseModel], str] = {
            model: refs[model, _MODE]["$ref"].removeprefix("#/$defs/") for model, _ in models
        }
        self._definitions: Schema = generated["$defs"]

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
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "llamafarm.yaml",
            "type": "object",
            "properties": {key: properties[key] for key in order},
            "additionalProperties": False,
            "$defs": {**self._shared(), **self._runtime(), "variable": _VARIABLE},
        }

    def _models(self) -> Iterable[type[BaseModel]]:
        yield from (Settings, Runtime, Prompts, Prompt)
        yield from (spec.entry for spec in self._providers.values())
        yield from (spec.options for spec in self._handlers.values() if spec.options)
        yield from (fragment.model for fragment in self._fragments)

    def _ref(self, model: type[BaseModel]) -> Schema:
        return {"$ref": f"#/$defs/{self._names[model]}"}

    def _definition(self, model: type[BaseModel]) -> Schema:
        found: Schema = self._definitions[self._names[model]]
        return found

    def _shared(self) -> Schema:
        """The definitions that are referred to; the fields of the others stand in the place of the reference."""
        inlined: list[type[BaseModel]] = [Settings, Runtime, *(spec.entry for spec in self._providers.values())]
        names = {self._names[model] for model in inlined}
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

    def _options(self, description: str, *, incomplete: bool = False) -> Schema:
        """Options by the names of handlers. incomplete: only some of each, since the others come from the project."""
        return {
            "description": description,
            "type": "object" if incomplete else ["object", "null"],
            "properties": {name: self._handler_options(spec, incomplete) for name, spec in self._handlers.items()},
            "additionalProperties": False,
        }

    def _handler_options(self, spec: AgentHandlerSpec, incomplete: bool) -> Schema:
        nothing = {"type": "object" if incomplete else ["object", "null"], "maxProperties": 0}
        if spec.options is None:
            return nothing
        if incomplete:
            return {key: value for key, value in self._definition(spec.options).items() if key != "required"}
        return {"anyOf": [self._ref(spec.options), nothing]}

    def _runtime(self) -> Schema:
        entry = {"$ref": "#/$defs/entry"}
        default = self._definition(Runtime)["properties"]["default_model"]
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
        cases: list[Schema] = [
            {
                "if": {"properties": {"provider": {"const": spec.name}}, "required": ["provider"]},
                "then": {"$ref": f"#/$defs/{_key(spec)}"},
            }
            for spec in self._providers.values()
        ]
        provider: Schema = {"description": "What executes the model.", **_one_of(self._providers)}
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
            "handler_options": self._options(own_options, incomplete=True),
            "allow_handlers": {**_names(self._handlers), "description": fields["allow_handlers"].description},
        }
        required = [key for key in own.get("required", ()) if key not in ("name", "provider")]
        properties = {**own["properties"], "provider": _or_variable({"const": spec.name}), **handlers, **blocks}
        return {"description": spec.summary, "type": "object", "properties": properties, "required": required}


def _key(spec: ProviderSpec) -> str:
    return f"entry.{spec.name}"


def _is_block(fragment: ConfigFragment, spec: ProviderSpec) -> bool:
    return isinstance(fragment.at, EntryBlock) and fragment.at.provider in (None, spec.name)


def _chain(handlers: Mapping[str, AgentHandlerSpec]) -> Schema:
    several = _names(handlers)
    return {"anyOf": [several["items"], several, {"type": "null"}]}


def _names(handlers: Mapping[str, AgentHandlerSpec]) -> Schema:
    return {"type": "array", "items": _one_of(handlers), "uniqueItems": True}


def _one_of(names: Iterable[str]) -> Schema:
    allowed = list(names)
    return _or_variable({"enum": allowed}) if allowed else {"not": {}}


class _WithVariables(GenerateJsonSchema):
    """Schemas of models in which a `${VARIABLE}` may stand for every scalar that is not any text anyway."""

    def build_schema_type_to_method(self) -> dict[Any, Callable[[Any], Schema]]:
        """How each type of pydantic's core becomes a schema."""
        methods = super().build_schema_type_to_method()
        return {kind: partial(_generated, method) for kind, method in methods.items()}


def _generated(method: Callable[[Any], Schema], core_schema: Any) -> Schema:
    found = method(core_schema)
    only_numbers_or_flags = found.get("type") in ("integer", "number", "boolean")
    narrow = only_numbers_or_flags or not found.keys().isdisjoint(("enum", "const", "pattern"))
    return _or_variable(found) if narrow else found


def _or_variable(scalar: Schema) -> Schema:
    told: Schema = {key: scalar[key] for key in ("description", "title", "default") if key in scalar}
    kept = {key: value for key, value in scalar.items() if key not in told}
    return {**told, "anyOf": [kept, {"$ref": "#/$defs/variable"}]}
