"""`lf see`."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.attachments import at_address, is_film, is_medium, part
from llamafarm.cli.chat import Options, ask_once
from llamafarm.cli.output import json_option, server_url_option
from llamafarm.cli.question import question
from llamafarm.errors import UsageError

WHAT = "What is in this picture?"
WHAT_HAPPENS = "What happens in this film?"


@click.command()
@click.argument("words", metavar="PICTURE... [QUESTION]", nargs=-1, required=True)
@click.option("--model", "-m", metavar="NAME", help="The model entry to ask.")
@click.option("--system", "-s", metavar="TEXT", help="A system message.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, in tokens.")
@click.option("--stream/--no-stream", default=True, help="Print the answer as it comes (default), or at its end.")
@json_option
@server_url_option
def see(words: tuple[str, ...], stream: bool, as_json: bool, **given: Any) -> None:
    """Ask a model QUESTION about pictures or films, and print its answer. What is piped is added to the question.

    A picture is a file, or an address that the server may fetch; so is a film, which is read as a few pictures.

    \b
    lf see cow.jpg "How many legs does it have?"
    lf see before.png after.png "What has changed?"
    lf see milking.mp4 "Who is milked first?"
    """
    pictures, asked = _told_apart(words)
    text = question(asked, ()) or (WHAT_HAPPENS if any(map(is_film, pictures)) else WHAT)
    options = Options(
        stream=stream and not as_json,
        as_json=as_json,
        temperature=None,
        usage=False,
        trace=False,
        handlers=(),
        variables={},
        session=None,
        **given,
    )
    content = [*map(_shown, pictures), {"type": "text", "text": text}]
    asyncio.run(ask_once(current_app(), options.request([{"role": "user", "content": content}]), options))


def _told_apart(words: tuple[str, ...]) -> tuple[list[str], str]:
    """The pictures, and the question: the last word where it is neither a file nor an address."""
    *others, last = words
    if _is_picture(last):
        return list(words), ""
    if not others:
        raise UsageError(f"There is no file {last!r}.", hint='lf see PICTURE "What is this?"')
    return others, last


def _is_picture(word: str) -> bool:
    return _is_address(word) or (current_app().cwd / word).is_file() or (is_medium(word) and " " not in word)


def _is_address(word: str) -> bool:
    return "://" in word and " " not in word


def _shown(name: str) -> dict[str, Any]:
    if _is_address(name):
        return at_address(name, name)
    file = current_app().cwd / name
    if not file.is_file():
        raise UsageError(f"There is no file {name!r}.")
    if not is_medium(name):
        raise UsageError(
            f"{name!r} is neither a picture nor a film, as its name says.",
            hint="Name it as what it is, such as `.png`.",
        )
    return part(file)
