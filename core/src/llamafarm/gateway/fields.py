"""What becomes of the fields of a request before a provider sees them: merging, and taking out what handlers own.

A request's own fields win over the entry's `extra_body`, and that over its `model_api_parameters`. A null counts as
given: it is how a request undoes a parameter of the configuration, and it travels on as null, because absent and null
are different on the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llamafarm.errors import RequestError
from llamafarm.handlers.link import Link
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import FORWARD_EVERYTHING, Parameters
from llamafarm.wire.operations import ALL_FIELDS, OTHER_NAMES, TEXT_FIELDS, Operation

HANDLER_FIELD = "handler"
"""The field by which a request chooses agent handlers."""


def merged(
    request: Mapping[str, Any],
    entry: ModelEntry,
    operation: Operation,
    parameters: Parameters = FORWARD_EVERYTHING,
) -> dict[str, Any]:
    """The request over the entry's parameters.

    What a request says replaces what the entry says of the same, under whichever name: see `Parameters.replaced_by`.
    A parameter of the configuration that belongs to another operation is left out, so that one entry can serve several:
    a `temperature` says nothing about embeddings. Of `model_api_parameters`, an operation that generates nothing gets
    only the fields that it defines.
    """
    if not entry.model_api_parameters and not entry.extra_body:
        return dict(request)
    fitting = _fitting(entry.model_api_parameters, operation, ALL_FIELDS)
    known = {name: value for name, value in fitting.items() if name in operation.fields or operation.returns != "value"}
    extra = _fitting(entry.extra_body, operation, TEXT_FIELDS if operation.returns == "reply" else ALL_FIELDS)
    return _over(request, _over(extra, known, parameters), parameters)


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    replaced = parameters.replaced_by(upper) if lower else frozenset()
    return {**{name: value for name, value in lower.items() if name not in replaced}, **upper}


def _fitting(parameters: Mapping[str, Any], operation: Operation, wire: frozenset[str]) -> dict[str, Any]:
    """Those that do not belong to another operation of the wire; a limit under the name that this one has for it."""
    fitting = {name: value for name, value in parameters.items() if name in operation.fields or name not in wire}
    for name, value in parameters.items():
        other = OTHER_NAMES.get(name)
        if name not in fitting and other in operation.fields and other not in parameters:
            fitting[other] = value
    return fitting


def take_handler_choice(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Split a request into (the rest, the agent handlers that it chooses). Raises RequestError for what is no name."""
    if request.get(HANDLER_FIELD) is None:
        return request, ()
    value = request[HANDLER_FIELD]
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        message = f"The field {HANDLER_FIELD!r} must be the name of an agent handler, or a list of names."
        raise RequestError(message, code="invalid_value", param=HANDLER_FIELD)
    return {name: value for name, value in request.items() if name != HANDLER_FIELD}, tuple(names)


def take_handler_fields(request: Mapping[str, Any], chain: Iterable[Link]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a request into (the rest, the validated fields of the handlers in `chain`).

    Raises RequestError for a value of the wrong type.
    """
    own = {name: (link.name, adapter) for link in chain for name, adapter in link.fields.items()}
    if own.keys().isdisjoint(request):
        return dict(request), {}
    fields = {name: _validated(name, request[name], *own[name]) for name in own if name in request}
    rest = {name: value for name, value in request.items() if name not in own}
    return rest, fields


async def refuse_foreign_fields(
    request: Mapping[str, Any], operation: Operation, owners: Callable[[], Awaitable[Mapping[str, str]]]
) -> None:
    """Raise RequestError for a field of an agent handler that the request does not go through.

    owners: the handler that owns each field, of all that are installed; asked only for a field that the wire lacks.
    """
    if operation.fields.issuperset(request):
        return
    owner = await owners()
    for name in sorted(owner.keys() & request.keys() - operation.fields):
        raise RequestError(
            f"The field {name!r} belongs to the agent handler {owner[name]!r}, which this {operation.name} request "
            "does not go through.",
            hint=f"Add {owner[name]!r} to the `handler` of the model entry, or leave the field out.",
            code="handler_not_in_chain",
            param=name,
        )


def _validated(name: str, value: Any, handler: str, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join([name, *map(str, problem["loc"])])
        raise RequestError(
            f"The field {where!r}, of the agent handler {handler!r}, is wrong: {problem['msg']}.",
            code="invalid_value",
            param=name,
        ) from None
