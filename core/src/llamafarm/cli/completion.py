"""`lf completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    Add `eval "$(lf completion bash)"` to ~/.bashrc (or the like for zsh); for fish, write the output to
    ~/.config/fish/completions/lf.fish.
    """
    from click.shell_completion import shell_complete

    shell_complete(click.get_current_context().find_root().command, {}, "lf", "_LF_COMPLETE", f"{shell}_source")
