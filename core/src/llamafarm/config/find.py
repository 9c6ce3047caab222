"""Which file is the configuration, and the one that `lf init` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from llamafarm.config.problems import shown
from llamafarm.errors import ConfigError
from llamafarm.project import FILE_NAMES


def find_config(start: Path) -> Path | None:
    """Return the configuration file in `start` or the nearest folder above it, or None."""
    folder = start.absolute()
    for place in (folder, *folder.parents):
        if found := config_in(place):
            return found
    return None


def config_in(folder: Path) -> Path | None:
    """Return the configuration file of this folder alone, or None."""
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def init_text() -> str:
    """The commented llamafarm.yaml that `lf init` writes: it works as it is."""
    return files(__package__).joinpath("example.yaml").read_text(encoding="utf-8")


def write_example(path: Path, *more: str) -> Path:
    """Write it, and `more` behind it, into the folder `path`, or to the file `path` where that ends in .yaml or .yml.

    Returns the file.

    Raises ConfigError where there is a configuration already: it never overwrites.
    """
    is_file = path.suffix in (".yaml", ".yml") and not path.is_dir()
    target = path if is_file else config_in(path) or path / FILE_NAMES[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write("\n".join([init_text(), *more]))
    except FileExistsError:
        message = f"{shown(target)} exists already; nothing was written."
        raise ConfigError(message, hint="Choose another folder, or edit it.") from None
    except OSError as error:
        raise ConfigError(f"{shown(target)} cannot be written: {error.strerror or error}.") from None
    return target
