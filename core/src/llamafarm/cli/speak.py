"""`lf speak`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import json_option, json_text, server_url_option
from llamafarm.cli.question import piped
from llamafarm.cli.texts import MODEL_HELP
from llamafarm.wire.operations import SPEECH

if TYPE_CHECKING:
    from llamafarm.providers.content import Content

FORMATS = ("wav", "mp3", "flac", "opus", "aac", "pcm")
SUFFIXES = {".ogg": "opus", ".oga": "opus"}
"""What the names of files end in, where they do not end in the name of a format."""
PIPE = "-"


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option("--output", "-o", "output", metavar="FILE", help="The file to write; `-` is standard output.")
@click.option("--format", "-F", "form", type=click.Choice(FORMATS), help="Else what FILE ends in; else wav.")
@click.option("--voice", "-v", metavar="NAME", help="One of the model's.")
@click.option("--speed", type=click.FloatRange(0.25, 4), help="1 is the model's own.")
@click.option("--model", "-m", metavar="NAME", help=MODEL_HELP)
@json_option
@server_url_option
def speak(words: tuple[str, ...], output: str | None, form: str | None, as_json: bool, **request: Any) -> None:
    """Write a text as sound; without TEXT, what is piped.

    \b
    lf speak "The cows are in the barn." -o barn.wav
    lf speak < story.txt -o story.mp3
    lf speak "Hello" | aplay
    """
    text = " ".join(words) or piped()
    if not text.strip():
        raise click.UsageError("Give a text: as an argument, or through a pipe.")
    if as_json and output in (None, PIPE):
        raise click.UsageError("--json says which file was written: name one with --output.")
    if output is None and sys.stdout.isatty():
        raise click.UsageError("Name the file to write: `-o speech.wav`. A terminal plays no sound.")
    path = None if output in (None, PIPE) else current_app().cwd / str(output)
    form = form or _format_of(path)
    asyncio.run(_speak({**request, "input": text, "response_format": form}, path))
    if path is None:
        return
    if as_json:
        click.echo(json_text({"path": output, "format": form, "bytes": path.stat().st_size}))
    else:
        click.echo(f"Wrote {path}.", err=True)


def _format_of(path: Path | None) -> str:
    """What a file is to hold. Raises UsageError for an ending that says nothing."""
    if path is None:
        return "wav"
    suffix = path.suffix.lower()
    form = SUFFIXES.get(suffix, suffix.removeprefix("."))
    if form not in FORMATS:
        raise click.UsageError(f"{path.name!r} ends in no format that is known: use {', '.join(FORMATS)}, or --format.")
    return form


async def _speak(request: dict[str, Any], path: Path | None) -> None:
    """Write the sound as it comes. What breaks off leaves no file behind."""
    from llamafarm.cli.progress import ProgressLine

    given = {name: value for name, value in request.items() if value is not None}
    server_url = given.pop("server_url", None)
    async with current_app().opened(server_url) as farm:
        with ProgressLine(doing="Speaking") as line:
            content: Content = await farm.ask(SPEECH, given, progress=line)
            if path is not None:
                await _keep(content, path)
                return
        async for piece in content.pieces():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


async def _keep(content: Content, path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            async for piece in content.pieces():
                file.write(piece)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
