"""`lf chat` on a terminal without a text: a conversation."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.chat import Options, road, send
from llamafarm.errors import LlamaFarmError

if TYPE_CHECKING:
    from llamafarm.cli.app import App

HELP = """/model [NAME]  show or change the model
/clear         forget the conversation
/exit          leave (Ctrl-D does too)
Ctrl-C stops an answer."""


class Conversation:
    """Keeps the messages and the model, reads lines and prints answers until the user leaves."""

    def __init__(self, app: App, options: Options) -> None:
        self._app = app
        self._options = options
        self._model = options.model
        self._session = options.session
        self._messages: list[dict[str, Any]] = []
        self._road = road(app, options)

    def run(self) -> None:
        """Talk until /exit or Ctrl-D."""
        history = _open_history()
        click.echo(f"{self._greeting()} /help shows what else there is.", err=True)
        with asyncio.Runner() as runner:
            try:
                while (line := _read()) is not None:
                    if not self._handle(runner, line.strip()):
                        break
            finally:
                runner.run(self._road.aclose())
                _save_history(history)

    def _greeting(self) -> str:
        if self._options.server_url:
            return f"Talking to {self._model or 'the default model'} at {self._options.server_url}."
        return f"Talking to {self._app.project.entry(self._model).name}."

    def _handle(self, runner: asyncio.Runner, line: str) -> bool:
        """Do one line; False ends the conversation. Errors are shown and the conversation goes on."""
        if line in ("/exit", "/quit"):
            return False
        try:
            if line.startswith("/"):
                self._command(line)
            elif line:
                self._ask(runner, line)
        except LlamaFarmError as error:
            if self._app.debug:
                raise
            click.echo(f"Error: {error}", err=True)
        return True

    def _command(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        if name == "/clear":
            self._messages.clear()
            self._session = "new" if self._session else None
            click.echo("The conversation is forgotten.", err=True)
        elif name == "/model":
            self._change_model(argument.strip())
        else:
            click.echo(HELP if name == "/help" else f"There is no command {name}.\n{HELP}", err=True)

    def _change_model(self, name: str) -> None:
        if name:
            if not self._options.server_url:
                self._app.project.entry(name)
            self._model = name
        click.echo(f"Model: {self._model or 'the default one'}.", err=True)

    def _ask(self, runner: asyncio.Runner, text: str) -> None:
        """Send one line. What was not answered to its end is not kept, so that the model does not see half turns."""
        asked = {"role": "user", "content": text}
        messages = [asked] if self._session else [*self._messages, asked]
        request = self._options.request(messages, model=self._model)
        try:
            answer, kept = runner.run(send(self._road, request, self._options, self._session))
        except KeyboardInterrupt:
            click.echo("\n(stopped)", err=True)
            return
        self._session = kept if self._session else None
        self._messages += [asked, {"role": "assistant", "content": answer}]


def _read() -> str | None:
    """One line of the user; None at the end of input. Ctrl-C empties the line."""
    while True:
        try:
            return input("> ")
        except KeyboardInterrupt:
            click.echo("\n(/exit or Ctrl-D leaves)", err=True)
        except EOFError:
            click.echo(err=True)
            return None


def _open_history() -> Path:
    from llamafarm.paths import data_dir

    file = data_dir(os.environ) / "chat_history"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        import readline

        if file.exists():
            readline.read_history_file(file)
    except (ImportError, OSError) as error:
        click.echo(f"No history of earlier lines: {error}", err=True)
    return file


def _save_history(file: Path) -> None:
    try:
        import readline

        readline.set_history_length(1000)
        file.touch(mode=0o600)
        readline.write_history_file(file)
    except (ImportError, OSError) as error:
        click.echo(f"The history of lines was not kept: {error}", err=True)
