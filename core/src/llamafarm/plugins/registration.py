"""From one plugin's hook implementations to checked records, each implementation called by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from pluggy import HookImpl, PluginManager, PluginValidationError

from llamafarm.plugins import route_paths, trace
from llamafarm.plugins.discovery import Candidate
from llamafarm.plugins.limit import TooSlow, run_within
from llamafarm.plugins.status import AnyRecord, Loaded, row_of
from llamafarm.records import (
    AgentHandlerSpec,
    ChatFlag,
    ConfigFragment,
    EntryBlock,
    ProviderSpec,
    RouteSpec,
    Section,
    ToolSourceSpec,
)

RECORDS: dict[str, type[Any]] = {
    "register_providers": ProviderSpec,
    "register_agent_handlers": AgentHandlerSpec,
    "register_config_fragments": ConfigFragment,
    "register_tool_sources": ToolSourceSpec,
    "register_routes": RouteSpec,
}

ARGUMENTS: dict[str, Any] = {}
"""What hooks are given, by the names in `hookspecs`. An implementation takes those that it names, so that one more
argument breaks no plugin that was written without it."""

CORE_SECTIONS = ("version", "name", "namespace", "runtime", "prompts", "variables", "handler", "handlers", "plugins")
"""The top-level keys of llamafarm.yaml that are the core's own."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
FLAG = re.compile(r"--[a-z][a-z0-9-]+\Z")


class RecordError(TypeError):
    """A hook returned something that is not what it promises; the message says what."""


def collect(candidate: Candidate, hooks: PluginManager, plugin: object, seconds: float | None) -> Loaded:
    """Call each registration of `plugin`, which `hooks` knows already, and check what it returns.

    One that fails, or takes longer than `seconds`, loses only its own records.
    """
    brought: dict[str, tuple[Any, ...]] = {}
    problems: list[str] = []
    error: BaseException | None = None
    callers = hooks.get_hookcallers(plugin) or ()
    own = {caller.name: impl for caller in callers for impl in caller.get_hookimpls() if impl.plugin is plugin}
    for hook in [hook for hook in RECORDS if hook in own]:
        try:
            with trace.step(f"{own[hook].plugin_name}: {hook}()"):
                brought[hook] = run_within(seconds, partial(_records, hook, own[hook]))
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - it loses its own records only
            problems.append(explain(raised, during=f"in {hook}()"))
            error = raised
    providers, handlers, fragments, tool_sources, routes = (
        tuple(map(name_of, brought.get(hook, ()))) for hook in RECORDS
    )
    row = replace(
        row_of(candidate, "failed" if problems else "active", "; ".join(problems) or None),
        hooks=tuple(sorted(own)),
        providers=providers,
        handlers=handlers,
        fragments=fragments,
        tool_sources=tool_sources,
        routes=routes,
    )
    return Loaded(candidate, row, tuple(chain.from_iterable(brought.values())), error)


def explain(error: BaseException, *, during: str) -> str:
    """Say in one line what went wrong, for `lf plugins list`."""
    if isinstance(error, RecordError):
        return str(error)
    if isinstance(error, PluginValidationError):
        return " ".join(str(error).split())
    if isinstance(error, TooSlow):
        return f"{error} {during}"
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) {during}"
    return f"{type(error).__name__}: {error} ({during})"


def _records(hook: str, impl: HookImpl) -> tuple[Any, ...]:
    if impl.hookwrapper or impl.wrapper:
        raise RecordError(f"{hook}() is a hook wrapper: a registration must not change what other plugins register")
    record = RECORDS[hook]
    returned = impl.function(*(ARGUMENTS[name] for name in impl.argnames))
    if not isinstance(returned, Iterable):
        raise RecordError(f"{hook}() returned {_a(returned)}; an iterable of {record.__name__} was expected")
    records = tuple(returned)
    for number, one in enumerate(records):
        if not isinstance(one, record):
            raise RecordError(f"{hook}() returned {_a(one)} at position {number}; a {record.__name__} was expected")
        _check(one)
    names = [name_of(one) for one in records]
    if twice := [name for name in names if names.count(name) > 1]:
        raise RecordError(f"{hook}() returned {twice[0]!r} twice")
    return records


def name_of(record: AnyRecord) -> str:
    """How messages and `lf plugins list` call a record; for a block of an entry `universal.onnx` or `*.onnx`."""
    if not isinstance(record, ConfigFragment):
        return record.name
    return record.at.key if isinstance(record.at, Section) else f"{record.at.provider or '*'}.{record.at.key}"


def _check(record: Any) -> None:
    if isinstance(record, ProviderSpec):
        _check_provider(record)
    elif isinstance(record, AgentHandlerSpec):
        _check_name("agent handler", record.name)
        if record.options is not None:
            _check_model(f"the options of the agent handler {record.name!r}", record.options)
        for flag in record.flags:
            _check_flag(record, flag)
    elif isinstance(record, ToolSourceSpec):
        _check_name("tool source", record.name)
    elif isinstance(record, RouteSpec):
        if wrong := route_paths.problem(record):
            raise RecordError(wrong)
    else:
        _check_fragment(record)


def _check_provider(spec: ProviderSpec) -> None:
    from llamafarm.providers.entry import ModelEntry

    _check_name("provider", spec.name)
    _check_model(f"the entry of the provider {spec.name!r}", spec.entry)
    if not issubclass(spec.entry, ModelEntry):
        raise RecordError(f"the entry of the provider {spec.name!r} is not a subclass of llamafarm.ModelEntry")


def _check_flag(spec: AgentHandlerSpec, flag: ChatFlag) -> None:
    if not FLAG.match(flag.flag):
        raise RecordError(f"the flag {flag.flag!r} is not one: two dashes, then lower-case letters, digits and dashes")
    if flag.field not in spec.fields:
        raise RecordError(f"the flag {flag.flag!r} sets {flag.field!r}, which is no field of the handler {spec.name!r}")


def _check_fragment(fragment: ConfigFragment) -> None:
    from llamafarm.providers.entry import ModelEntry

    if not isinstance(fragment.at, Section | EntryBlock):
        raise RecordError(f"a ConfigFragment is at {_a(fragment.at)}; a Section or an EntryBlock was expected")
    if isinstance(fragment.at, EntryBlock) and (fragment.entries or fragment.check or fragment.example):
        raise RecordError(f"the configuration fragment {name_of(fragment)!r} has what sections alone may have")
    _check_name("configuration key", fragment.at.key)
    taken = CORE_SECTIONS if isinstance(fragment.at, Section) else tuple(ModelEntry.model_fields)
    if fragment.at.key in taken:
        raise RecordError(f"the configuration key {fragment.at.key!r} is the core's own")
    _check_model(f"the configuration fragment {name_of(fragment)!r}", fragment.model)


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not NAME.match(name):
        raise RecordError(f"the {what} name {name!r} is not one: letters, digits, dots, dashes and underscores")


def _check_model(what: str, model: object) -> None:
    from pydantic import BaseModel, RootModel

    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise RecordError(f"{what} is {_a(model)}; a pydantic model was expected")
    if not issubclass(model, RootModel) and model.model_config.get("extra") != "forbid":
        raise RecordError(f'{what} must have model_config = ConfigDict(extra="forbid"): misspelt keys are errors')


def _a(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a value of type {type(value).__name__}"
