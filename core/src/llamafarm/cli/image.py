"""`lf image`."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import json_option, json_text, server_url_option
from llamafarm.cli.pictures import uploaded
from llamafarm.cli.texts import MODEL_HELP
from llamafarm.errors import UpstreamError
from llamafarm.wire.operations import IMAGE_EDITS, IMAGES

if TYPE_CHECKING:
    from llamafarm.providers.content import Content

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
"""What the end of a file's name says of its format."""
OUTPUT_HELP = "Where the picture goes: .png, .jpg or .webp; several are numbered. - is stdout."


@click.command()
@click.argument("prompt")
@click.option("--image", "-i", metavar="FILE", help="A picture that is changed as PROMPT says. - is stdin.")
@click.option("--mask", metavar="FILE", help="Says where: where it is transparent, or else white.")
@click.option("--strength", type=click.FloatRange(0, 1, min_open=True), help="How much is changed: 1 keeps nothing.")
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("picture.png"), help=OUTPUT_HELP)
@click.option("--model", "-m", metavar="NAME", help=MODEL_HELP)
@click.option("--size", metavar="WIDTHxHEIGHT", help="In pixels; else as large as the model's own.")
@click.option("-n", type=click.IntRange(1), help="How many pictures.")
@click.option("--seed", type=click.IntRange(0), help="The same seed gives the same picture.")
@click.option("--steps", type=click.IntRange(1), help="How many steps to draw in.")
@click.option("--guidance", "guidance_scale", type=float, help="How closely to follow the prompt.")
@click.option("--negative", "negative_prompt", metavar="TEXT", help="What is not to be seen.")
@click.option("--scheduler", metavar="NAME", help="What decides on the steps, such as `euler`.")
@click.option("--open", "opens", is_flag=True, help="Show the picture in the desktop's viewer.")
@json_option
@server_url_option
def image(prompt: str, output: Path, opens: bool, as_json: bool, server_url: str | None, **options: Any) -> None:
    """Draw what PROMPT says, or change a picture as it says, and print where the picture is.

    \b
    lf image "a red fox in the snow" -o fox.png
    lf image "a barn" -n 4 --size 512x512 --seed 7 -o barns.webp
    lf image "a red barn" --image barn.jpg --mask walls.png -o red.jpg
    """
    to_stdout = output == Path("-")
    if output.suffix.lower() not in FORMATS and not to_stdout:
        raise click.UsageError(f"{output} is no name of a picture: it must end in {', '.join(FORMATS)}.")
    if options["image"] is None and (options["mask"] or options["strength"]):
        raise click.UsageError("--mask and --strength say how a picture is changed: name it with --image.")
    if opens and to_stdout:
        raise click.UsageError("--open shows a file: name one with --output.")
    request = {name: value for name, value in options.items() if value is not None}
    request |= {name: uploaded(request[name]) for name in ("image", "mask") if name in request}
    request |= {"prompt": prompt, "output_format": FORMATS.get(output.suffix.lower(), "png"), "stream": True}
    pictures = asyncio.run(_drawn(request, server_url))
    if to_stdout:
        sys.stdout.buffer.write(_bytes(pictures[0]))
        return
    _show_and_tell(pictures, output, opens=opens, as_json=as_json)


def _show_and_tell(pictures: list[dict[str, Any]], output: Path, *, opens: bool, as_json: bool) -> None:
    rows = [_kept(picture, output, number, len(pictures)) for number, picture in enumerate(pictures, 1)]
    click.echo(json_text({"pictures": rows}) if as_json else "\n".join(row["path"] for row in rows))
    failures = [click.launch(str(current_app().cwd / row["path"])) for row in rows] if opens else []
    if any(failures):
        click.echo("Note: no viewer could be started here.", err=True)


def _kept(picture: dict[str, Any], output: Path, number: int, count: int) -> dict[str, Any]:
    """Write a picture to its file, numbered where there are several, and return what is said of it."""
    path = output if count == 1 else output.with_name(f"{output.stem}-{number}{output.suffix}")
    (current_app().cwd / path).write_bytes(_bytes(picture))
    return {"path": str(path)} | ({"seed": picture["seed"]} if "seed" in picture else {})


async def _drawn(request: dict[str, Any], server_url: str | None) -> list[dict[str, Any]]:
    """The pictures as the answer has them, in their order; steps are shown on stderr as they are done."""
    from llamafarm.cli.progress import ProgressLine

    async with current_app().opened(server_url) as farm:
        with ProgressLine() as line:
            operation = IMAGE_EDITS if "image" in request else IMAGES
            content: Content = await farm.ask(operation, request, progress=line)
        async with aclosing(content):
            if not content.is_stream:
                rows: list[dict[str, Any]] = (await content.json())["data"]
                return rows
            pictures: dict[int, dict[str, Any]] = {}
            async for event in _events(content):
                pictures[event.get("index", len(pictures))] = event
            return [pictures[index] for index in sorted(pictures)]


async def _events(content: Content) -> AsyncIterator[dict[str, Any]]:
    """What the stream says of whole pictures; what it says of steps is shown. Raises UpstreamError where it breaks."""
    from llamafarm.wire import sse

    with click.progressbar(length=1, label="Drawing", file=sys.stderr) as bar:
        async for frame in sse.events(content.pieces()):
            event = json.loads(frame.data)
            if frame.name.endswith(".progress"):
                bar.length, bar.show_pos = event["total"], True  # only now is it known how many steps there are
                bar.update(max(0, event["done"] - bar.pos))
            elif frame.name.endswith(".completed"):
                yield event
            elif "error" in event:
                raise UpstreamError(str(event["error"].get("message")), provider="llamafarm")


def _bytes(picture: dict[str, Any]) -> bytes:
    """The file of a picture. Raises UpstreamError where the answer holds none."""
    if not picture.get("b64_json"):
        raise UpstreamError(f"The answer holds an address and no picture: {picture.get('url')}", provider="llamafarm")
    return base64.b64decode(picture["b64_json"])
