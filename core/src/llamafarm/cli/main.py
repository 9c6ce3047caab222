"""`lf`: the group of commands, and what happens to errors."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from llamafarm.cli.lazy import LazyGroup, Row, with_common_options
from llamafarm.version import VERSION

ROWS = {
    "chat": Row("llamafarm.cli.chat:chat", "Ask a model; without a text, talk to it."),
    "embed": Row("llamafarm.cli.embed:embed", "Texts as vectors."),
    "rerank": Row("llamafarm.cli.rerank:rerank", "Documents in the order in which they fit a query."),
    "classify": Row("llamafarm.cli.classify:classify", "The class of each text."),
    "ner": Row("llamafarm.cli.ner:ner", "The names of persons, places and so on in texts."),
    "transcribe": Row("llamafarm.cli.transcribe:transcribe", "What is said in recordings, as text or subtitles."),
    "image": Row("llamafarm.cli.image:image", "Draw a picture of a text."),
    "see": Row("llamafarm.cli.see:see", "Ask a model about pictures."),
    "detect": Row("llamafarm.cli.detect:detect", "The objects in pictures, and where they are."),
    "depth": Row("llamafarm.cli.depth:depth", "How far away everything in a picture is."),
    "speak": Row("llamafarm.cli.speak:speak", "A text as sound."),
    "models": Row("llamafarm.cli.models:models", "The models of this project: list, pull, show, status, rm."),
    "prompts": Row("llamafarm.cli.prompts:prompts", "Prompt sets, and what a model would be asked."),
    "eval": Row("llamafarm.cli.evaluation:evaluate", "How often models are right: classifiers, retrieval."),
    "init": Row("llamafarm.cli.init:init", "Write a llamafarm.yaml that works as it is."),
    "serve": Row("llamafarm.cli.serve:serve", "Serve the OpenAI-compatible API."),
    "start": Row("llamafarm.cli.services:start", "Start a runtime."),
    "stop": Row("llamafarm.cli.services:stop", "Stop a runtime that LlamaFarm started."),
    "status": Row("llamafarm.cli.services:status", "Which runtimes are up, and the models in their memory."),
    "logs": Row("llamafarm.cli.services:logs", "The log of a runtime."),
    "sessions": Row("llamafarm.cli.sessions:sessions", "Conversations that are kept."),
    "config": Row("llamafarm.cli.config:config", "Check and show the configuration."),
    "plugins": Row("llamafarm.cli.plugins:plugins", "What is installed, and whether it works."),
    "doctor": Row("llamafarm.cli.doctor:doctor", "Check this machine and this project."),
    "completion": Row("llamafarm.cli.main:completion", "Print the completion script for a shell."),
    "version": Row("llamafarm.cli.main:version", "Print the version."),
}

ELSEWHERE = {
    "run": "lf chat --model NAME",
    "ask": "lf chat TEXT",
    "list": "lf models list",
    "ls": "lf models list",
    "show": "lf models show NAME",
    "pull": "lf models pull NAME",
    "rm": "lf models rm NAME",
    "ps": "lf status",
    "help": "lf --help",
    "install": "pip install",
}


@click.group(cls=LazyGroup, rows=ROWS, elsewhere=ELSEWHERE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="lf %(version)s", help="Print the version.")
def lf() -> None:
    """Run models for applications: one llamafarm.yaml, one command, one OpenAI-compatible API."""


with_common_options(lf)


@click.command()
def version() -> None:
    """Print the version of LlamaFarm and of Python."""
    import platform

    click.echo(f"lf {VERSION} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    Add `eval "$(lf completion bash)"` to ~/.bashrc (or the like for zsh); for fish, write the output to
    ~/.config/fish/completions/lf.fish.
    """
    from click.shell_completion import shell_complete

    shell_complete(click.get_current_context().find_root().command, {}, "lf", "_LF_COMPLETE", f"{shell}_source")


COLOR = False if os.environ.get("NO_COLOR") else None
"""None leaves it to where the output goes. Source: no-color.org."""


def main() -> None:
    """The console script. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    settings: dict[str, Any] = {}
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 lacks characters: no reason to fail
    try:
        code = run(settings)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _silence()
    sys.exit(code)


def run(settings: dict[str, Any]) -> int:
    """Run the command line and return the exit code; every error becomes text on stderr."""
    try:
        result = lf.main(standalone_mode=False, prog_name="lf", obj=settings, color=COLOR)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 the last resort: everything becomes a text
        return _report(error, debug=bool(settings.get("debug")))
    return result if isinstance(result, int) else 0


def _report(error: Exception, *, debug: bool) -> int:
    """Print `error` for the person who reads it; a traceback only with `--debug`."""
    if debug:
        import traceback

        traceback.print_exception(error)
        return 1
    from llamafarm.cli.output import plain

    text = "\n".join(map(plain, _text(error).split("\n")))  # a server's own words may be in it
    click.echo(f"{click.style('Error:', fg='red')} {text}", err=True, color=COLOR)
    return 1


def _text(error: Exception) -> str:
    from llamafarm.errors import LlamaFarmError

    if isinstance(error, LlamaFarmError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}\nThis is a fault of LlamaFarm or of a plugin; `--debug` shows where."


def _silence() -> int:
    """Whoever read our output has gone: end without a word, also when Python flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
