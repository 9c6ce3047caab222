"""`lf depth`."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import json_option, json_text, server_url_option
from llamafarm.cli.pictures import picture
from llamafarm.cli.texts import MODEL_HELP, ask_all
from llamafarm.wire.operations import DEPTH


@click.command()
@click.argument("name", metavar="PICTURE")
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Where the PNG goes.")
@click.option("--model", "-m", metavar="NAME", help=MODEL_HELP)
@server_url_option
@json_option
def depth(name: str, output: Path | None, as_json: bool, **request: Any) -> None:
    """Estimate how far away everything in a picture is, as a grey PNG of 16 bits.

    PICTURE is a file, or an address that the server may fetch.

    \b
    lf depth farm.jpg -o depth.png
    lf depth farm.jpg > depth.png
    """
    if output is None and not as_json and sys.stdout.isatty():
        raise click.UsageError("Name a file with --output, or send the PNG through a pipe.")
    answer = ask_all(DEPTH, "input", [picture(name)], request)
    [row] = answer["data"]
    content = base64.b64decode(row["depth"])
    if output is not None:
        (current_app().cwd / output).write_bytes(content)
    if as_json:
        click.echo(json_text(answer))
        return
    if output is None:
        click.echo(content, nl=False)
    place = "black" if output is None else f"{output}: black"
    click.echo(f"{place} is {row['least']:g}, white is {row['most']:g}, as the model measures.", err=True)
