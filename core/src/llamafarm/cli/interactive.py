"""`lf chat` on a terminal without a text: a conversation."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.attachments import Content, content, text_of
from llamafarm.cli.chat import Options, ask
from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.providers.base import shown

if TYPE_CHECKING:
    from llamafarm.cli.app import App

COMMANDS = {
    "/model": "[NAME]  list the models, or change to one of them",
    "/system": "[TEXT]  show or change the system message",
    "/file": "PATH    send a file with the next message: a text, a picture, a recording, a film",
    "/retry": "        ask the last message again",
    "/save": "PATH    write the conversation to a new file",
    "/clear": "        forget the conversation",
    "/exit": "        leave (Ctrl-D does too)",
}
HELP = "\n".join(f"{name} {text}" for name, text in COMMANDS.items()) + (
    '\nCtrl-C stops an answer. A message of several lines is pasted, or stands between """ and """;'
    "\na line that ends in \\ goes on in the next."
)


class Conversation:
    """Keeps the messages and the model, reads lines and prints answers until the user leaves."""

    def __init__(self, app: App, options: Options) -> None:
        self._app = app
        self._options = options
        self._session = options.session
        self._messages: list[dict[str, Any]] = []
        self._files: list[Path] = []
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()

    def run(self) -> None:
        """Talk until /exit or Ctrl-D."""
        model = self._options.model
        if not self._options.server_url:
            model = self._app.project.entry(model).name
        place = f" at {shown(self._options.server_url)}" if self._options.server_url else ""
        click.echo(f"Talking to {model or 'the default model'}{place}. /help shows what else there is.", err=True)
        with self._runner, _line_editing(self._app.data / "chat_history", self._completions):
            try:
                self._farm = self._runner.run(
                    self._open.enter_async_context(self._app.opened(self._options.server_url))
                )
                while (text := _read()) is not None and text not in ("/exit", "/quit"):
                    self._handle(text)
            finally:
                self._runner.run(self._open.aclose())

    def _handle(self, text: str) -> None:
        """Do one message or command. Errors are shown and the conversation goes on."""
        try:
            if text.startswith("/"):
                self._command(text)
            elif text:
                self._ask(content(text, self._files))
                self._files.clear()
        except (LlamaFarmError, click.UsageError, OSError) as error:
            if self._app.debug:
                raise
            click.echo(f"Error: {error}", err=True)

    def _command(self, text: str) -> None:
        name, _, argument = text.partition(" ")
        if name not in COMMANDS:
            click.echo(HELP if name == "/help" else f"There is no command {name}.\n{HELP}", err=True)
            return
        told = getattr(self, f"_{name[1:]}")(argument.strip())
        if told:
            click.echo(told, err=True)

    def _model(self, name: str) -> str:
        if name and name not in self._models and not self._options.server_url:
            self._app.project.entry(name)  # raises, with the nearest names
        if name:
            self._options = replace(self._options, model=name)
            return f"Model: {name}."
        return f"Model: {self._options.model or 'the default one'}. There are: {', '.join(self._models)}."

    def _system(self, text: str) -> str:
        if text:
            self._options = replace(self._options, system=text)
        return f"System message: {self._options.system or 'none'}"

    def _file(self, path: str) -> str:
        file = self._app.cwd / Path(path).expanduser()
        if not path or not file.is_file():
            raise UsageError(f"There is no file {path!r}.")
        self._files.append(file)
        return f"{path} goes with the next message."

    def _retry(self, _: str) -> None:
        if self._session or not self._messages:
            raise UsageError("A session keeps its turns." if self._session else "Nothing has been asked yet.")
        question = self._messages[-2]["content"]
        del self._messages[-2:]
        self._ask(question)

    def _save(self, path: str) -> str:
        if not path:
            raise UsageError("Say where: /save PATH.")
        with (self._app.cwd / Path(path).expanduser()).open("x", encoding="utf-8") as file:
            file.writelines(f"## {message['role']}\n\n{text_of(message['content'])}\n\n" for message in self._messages)
        return f"Wrote {path}."

    def _clear(self, _: str) -> str:
        self._messages.clear()
        self._session = "new" if self._session else None
        return "The conversation is forgotten."

    def _ask(self, question: Content) -> None:
        """Send one message. What was not answered to its end is not kept, so that the model sees no half turns."""
        asked = {"role": "user", "content": question}
        request = self._options.request([asked] if self._session else [*self._messages, asked])
        try:
            answer, kept = self._runner.run(ask(self._farm, request, self._options, self._session))
        except KeyboardInterrupt:
            click.echo("\n(stopped)", err=True)
            return
        self._session = kept if self._session else None
        self._messages += [asked, {"role": "assistant", "content": answer}]

    @cached_property
    def _models(self) -> list[str]:
        listed = self._farm.models()
        rows = self._runner.run(listed) if isinstance(listed, Coroutine) else listed
        return [row["id"] for row in rows]

    def _completions(self, line: str, word: str) -> list[str]:
        """What the word under the cursor can become."""
        if line.startswith("/model "):
            return [name for name in self._models if name.startswith(word)]
        if line.startswith(("/file ", "/save ")):
            return glob.glob(f"{glob.escape(word)}*")  # noqa: PTH207 - a beginning of a path, as it was typed
        return [name for name in COMMANDS if line.startswith("/") and name.startswith(word)]


def _read() -> str | None:
    """One message of the user; None at the end of input. Ctrl-C empties it."""
    while True:
        try:
            return _message().strip()
        except KeyboardInterrupt:
            click.echo("\n(/exit or Ctrl-D leaves)", err=True)
        except EOFError:
            click.echo(err=True)
            return None


def _message() -> str:
    text = input("> ")
    if text.startswith('"""'):
        text = text.removeprefix('"""')
        while not text.rstrip().endswith('"""'):
            text += "\n" + input("... ")
        return text.rstrip().removesuffix('"""')
    while text.endswith("\\"):
        text = text.removesuffix("\\") + "\n" + input("... ")
    return text


@contextmanager
def _line_editing(history: Path, completions: Any) -> Iterator[None]:
    """Lines with history, completion with Tab, and pasted text as one message, where the system offers them."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_completer_delims(" ")
    readline.set_completer(lambda word, state: [*completions(readline.get_line_buffer(), word), None][state])
    editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if editline else "tab: complete")
    readline.parse_and_bind("set enable-bracketed-paste on")
    readline.set_history_length(1000)
    with suppress(OSError):  # none yet, or one of another kind
        readline.read_history_file(history)
    try:
        yield
    finally:
        try:
            history.parent.mkdir(parents=True, exist_ok=True)
            history.touch(mode=0o600)
            readline.write_history_file(history)
        except OSError as error:
            click.echo(f"The history of lines was not kept: {error}", err=True)
