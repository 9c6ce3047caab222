"""The commented llamafarm.yaml that `lf init` writes: it works as it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from llamafarm.config.find import config_in
from llamafarm.config.problems import shown
from llamafarm.errors import ConfigError
from llamafarm.project import FILE_NAMES


def init_text() -> str:
    """The text of the example."""
    return files(__package__).joinpath("example.yaml").read_text(encoding="utf-8")


def write_example(path: Path) -> Path:
    """Write the example into the folder `path`, or to the file `path` where that ends in .yaml or .yml.

    Returns the file. Raises ConfigError where there is a configuration already: it never overwrites.
    """
    is_file = path.suffix in (".yaml", ".yml") and not path.is_dir()
    folder = path.parent if is_file else path
    found = path if is_file and path.exists() else (None if is_file else config_in(folder))
    if found is not None:
        raise _exists(found)
    target = path if is_file else folder / FILE_NAMES[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(init_text())
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise ConfigError(f"{shown(target)} cannot be written: {error.strerror or error}.") from None
    return target


def _exists(path: Path) -> ConfigError:
    return ConfigError(f"{shown(path)} exists already; nothing was written.", hint="Choose another folder, or edit it.")
