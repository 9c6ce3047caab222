"""The command line `lf`: a file for each command or group of commands, imported when it is called.

What the command of a plugin builds on is here: `open_farm` opens the project that the command line names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llamafarm.farm.farm import OpenFarm

__all__ = ["open_farm"]


def open_farm() -> OpenFarm:
    """The project of the running command, by its `--config` and `--cwd`: `with open_farm() as farm`, or `async with`.

    Entering it raises ConfigError where there is none, or it is wrong.
    """
    import os

    from llamafarm.cli.app import current_app
    from llamafarm.farm.farm import OpenFarm

    app = current_app()
    return OpenFarm(app.config_path or app.cwd, os.environ)
