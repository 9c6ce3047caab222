"""`lf transcribe`."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import json_option, json_text, server_url_option
from llamafarm.cli.texts import MODEL_HELP
from llamafarm.wire.operations import TRANSCRIPTIONS, TRANSLATIONS
from llamafarm.wire.upload import Upload

if TYPE_CHECKING:
    from llamafarm.providers.content import Content

FORMATS = ("text", "srt", "vtt", "json", "verbose_json")
SUFFIXES = {"text": "txt", "verbose_json": "json"}
"""What the files of a format end in, where they do not end in its name."""
PIPE = "-"


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--format", "-F", "form", type=click.Choice(FORMATS), default="text", help="Of what is printed.")
@click.option("--output", "-o", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Write a file for each recording into FOLDER.")  # fmt: skip
@click.option("--translate", is_flag=True, help="Into English.")
@click.option("--language", "-l", help="Of the recordings, such as `de`; else it is detected.")
@click.option("--prompt", metavar="TEXT", help="A text that goes before, for style and names.")
@click.option("--model", "-m", metavar="NAME", help=MODEL_HELP)
@json_option
@server_url_option
def transcribe(
    files: tuple[str, ...], form: str, folder: Path | None, translate: bool, as_json: bool, **request: Any
) -> None:
    """Print what is said in recordings; `-` is one that is piped.

    \b
    lf transcribe interview.mp3
    lf transcribe lecture.mp4 --format srt > lecture.srt
    lf transcribe *.m4a --format vtt --output subtitles/
    """
    if translate and request["language"]:
        raise click.UsageError("--translate detects the language itself: leave --language out.")
    form = "verbose_json" if as_json and form == "text" else form
    recordings = [_recording(name) for name in files]
    asyncio.run(_transcribe(recordings, form, folder, {**request, "translate": translate}))


async def _transcribe(recordings: list[str | Path], form: str, folder: Path | None, request: dict[str, Any]) -> None:
    """Ask about one recording after the other, and print or write each answer as it comes."""
    if folder is not None:
        folder = current_app().cwd / folder
        folder.mkdir(parents=True, exist_ok=True)
    async for recording, text in _texts(recordings, form, request):
        name = PIPE if isinstance(recording, str) else recording.name
        if folder is not None:
            stem = "recording" if isinstance(recording, str) else recording.stem
            path = folder / f"{stem}.{SUFFIXES.get(form, form)}"
            path.write_text(text, encoding="utf-8")
            click.echo(f"Wrote {path}.", err=True)
        elif form.endswith("json"):
            click.echo(json_text({"file": name, **json.loads(text)} if len(recordings) > 1 else json.loads(text)))
        else:
            click.echo((f"==> {name} <==\n" if len(recordings) > 1 else "") + text.rstrip("\n"))


async def _texts(
    recordings: list[str | Path], form: str, request: dict[str, Any]
) -> AsyncIterator[tuple[str | Path, str]]:
    from llamafarm.cli.progress import ProgressLine

    given = {name: value for name, value in request.items() if value is not None}
    server_url = given.pop("server_url", None)
    operation = TRANSLATIONS if given.pop("translate") else TRANSCRIPTIONS
    async with current_app().opened(server_url) as farm:
        for recording in recordings:
            fields = {**given, "file": _upload(recording), "response_format": form}
            with ProgressLine(doing=f"Listening to {fields['file'].name}") as line:
                content: Content = await farm.ask(operation, fields, progress=line)
                text = (await content.read()).decode("utf-8", "replace")
            yield recording, text


def _recording(name: str) -> str | Path:
    """A file that is there, or the pipe. Raises UsageError."""
    if name == PIPE:
        return name
    path = current_app().cwd / name
    if not path.is_file():
        raise click.UsageError(f"There is no file {name!r}.")
    return path


def _upload(recording: str | Path) -> Upload:
    if isinstance(recording, str):
        return Upload("recording", sys.stdin.buffer.read())
    kind = mimetypes.guess_type(recording.name)[0] or "application/octet-stream"
    return Upload(recording.name, recording.read_bytes(), kind)
