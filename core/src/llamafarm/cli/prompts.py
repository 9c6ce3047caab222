"""`lf prompts`: the prompt sets of the configuration, and what a model is asked with them."""

from __future__ import annotations

from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.answer import print_trace
from llamafarm.cli.app import current_app
from llamafarm.cli.chat import handlers_option, variables_option
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import counted, json_option, json_text, plain, print_json, print_table

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.gateway.preview import Preview
    from llamafarm.project import Project


@click.group(cls=LazyGroup, prefix="prompts.")
def prompts() -> None:
    """Prompt sets: what stands before every conversation."""


@prompts.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the prompt sets of this project, their variables, and the models that they stand before."""
    project = current_app().project
    found = [_row(project, name) for name in project.prompts]
    if as_json:
        print_json(found)
        return
    rows = [
        [row["name"], str(row["messages"]), ", ".join(_written(row["variables"])), ", ".join(row["models"])]
        for row in found
    ]
    print_table(["PROMPT SET", "MESSAGES", "VARIABLES", "MODELS"], rows)


def _row(project: Project, name: str) -> dict[str, Any]:
    from llamafarm.handlers.variables import variables_in

    texts = [str(message.get("content")) for message in project.prompts[name]]
    uses = [entry.name for entry in project.models if name in (getattr(entry, "prompts", ()) or project.prompts)]
    variables = dict(pair for text in texts for pair in variables_in(text))
    return {"name": name, "messages": len(texts), "variables": variables, "models": uses}


def _written(variables: dict[str, str | None]) -> list[str]:
    return [name if default is None else f"{name}={default}" for name, default in variables.items()]


@prompts.command()
@click.argument("model", required=False)
@click.argument("text", default="Hello.")
@variables_option
@handlers_option
@json_option
def show(model: str | None, text: str, variables: dict[str, str], handlers: tuple[str, ...], as_json: bool) -> None:
    """Print what MODEL would be asked if a user said TEXT, and count its tokens. The model is not asked.

    Prompts, variables and agent handlers do their work as in `lf chat`; those that ask other models do so. No runtime
    is started: where it is down, tokens are not counted.
    """
    app = current_app()
    request: dict[str, Any] = {"model": app.project.entry(model).name, "messages": [{"role": "user", "content": text}]}
    if variables:
        request["variables"] = variables
    preview = app.run(partial(_preview, request, handlers))
    if as_json:
        print_json(preview)
        return
    click.echo(f"{preview.model}, through {', '.join(preview.handlers)}")
    fields = dict(preview.request or {})
    messages = fields.pop("messages", [])
    for name, value in fields.items():
        click.echo(f"{name}: {json_text(value)}")
    _print_messages(messages)
    click.echo(f"\n{_told(preview)}")
    print_trace(preview.trace)


async def _preview(request: dict[str, Any], handlers: tuple[str, ...], farm: Farm) -> Preview:
    return await farm.preview(request, handlers=handlers)


def _print_messages(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        content, rest = message.get("content"), {key: message[key] for key in message if key not in ("role", "content")}
        said = content if isinstance(content, str) else json_text(content)
        lines = [plain(line.expandtabs()) for line in said.split("\n")]
        click.echo(f"\n{click.style(message['role'], bold=True)}\n" + indent("\n".join(lines), "  "))
        if rest:
            click.echo(f"  {json_text(rest)}")


def _told(preview: Preview) -> str:
    """How long the prompt is, or why nobody knows."""
    if preview.request is None:
        return "The agent handlers answer by themselves: the model is not asked."
    if preview.problem:
        return f"The runtime was not asked about its model: {preview.problem}"
    if preview.prompt_tokens is None:
        return "Tokens are not counted by this provider."
    return counted(preview.prompt_tokens, "prompt token")
