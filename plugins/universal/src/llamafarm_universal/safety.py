"""What may be loaded: the grammar of model ids, paths, and weights that cannot execute code. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from llamafarm_universal.failure import RequestFailed, refused

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_HUB_ID = re.compile(rf"(?:{_PART}/)?{_PART}")
_PACKAGE_ID = re.compile(r"package:([A-Za-z_][A-Za-z0-9_]*)((?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+)")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
MAX_LENGTH = 1000
"""Characters of a model's name: more is no path that anybody means, and each message would repeat it."""
_LONGEST = 200  # characters of a hub id
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


_FILE = re.compile(rf"(.+?):((?:{_PART}/)*{_PART}\.(?:gguf|safetensors))", re.IGNORECASE)


@dataclass(frozen=True)
class HubId:
    """`org/name` or `name` on the Hugging Face hub.

    file: the only one that is meant, behind a `:`: a model in the GGUF format, or the weights of an adapter.
    """

    id: str
    file: str | None = None


@dataclass(frozen=True)
class PackagedFolder:
    """A folder inside an installed Python package."""

    package: str
    folder: str


@dataclass(frozen=True)
class LocalFolder:
    path: Path


def parse_model_id(text: str, param: str = "model") -> HubId | PackagedFolder | LocalFolder:
    """Tell the three kinds of model ids apart.

    A local folder begins with `/`, `~`, `./`, `../` or a drive letter: a bare `name` is always a Hugging Face id, so
    that no folder of the working directory can take a model's place.
    param: of the request, that the id came in. Raises RequestFailed for anything else.
    """
    if match := _PACKAGE_ID.fullmatch(text):
        return PackagedFolder(match[1], match[2].lstrip("/"))
    if (
        "\0" not in text
        and len(text) <= MAX_LENGTH
        and (text.startswith(("/", "~", "./", "../")) or re.match(r"[A-Za-z]:[\\/]", text))
    ):
        return LocalFolder(_expanded(Path(text)))
    one_file = _FILE.fullmatch(text) if len(text) <= 2 * _LONGEST else None
    name = one_file[1] if one_file else text
    if _HUB_ID.fullmatch(name) and ".." not in text and "--" not in name and len(name) <= _LONGEST:
        return HubId(name, one_file[2] if one_file else None)
    raise refused(
        f"`{text[:200]}` is not a model id.",
        param,
        hint="Use a Hugging Face id (`org/name`, `org/name:FILE.gguf`), a folder (`./models/mine`) or "
        "`package:NAME/FOLDER`.",
    )


def is_weights_alone(model: str) -> bool:
    """Whether a name is that of one file of weights of the hub, as those of adapters are. Raises RequestFailed."""
    source = parse_model_id(model)
    return isinstance(source, HubId) and (source.file or "").lower().endswith(".safetensors")


def repository_of(model: str) -> str:
    """The repository of the hub that a model's files lie in; the model's own name where it is no hub model.

    Raises RequestFailed.
    """
    source = parse_model_id(model)
    return source.id if isinstance(source, HubId) else model


def _expanded(path: Path) -> Path:
    """A path whose `~` is the home of its user; as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def check_revision(revision: str | None) -> None:
    """Refuse a revision that could leave the cache folder: revisions become file names there."""
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise refused(f"`{revision[:100]}` is not a revision.", "revision", hint="Use a branch, a tag or a commit.")


def under(root: Path, relative: str) -> Path:
    """The path of `relative` below `root`, links resolved. Raises RequestFailed where it would leave `root`."""
    root = root.resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise refused(f"`{relative}` leads out of its folder.", "model")
    return path


def refuse_pickle(model: str, folder: Path) -> None:
    """Refuse a folder where weights, or those of a part, are only in files that can execute code when they are read."""
    has_safetensors = any(folder.rglob("*.safetensors"))
    candidates = folder.rglob("pytorch_model*.bin" if has_safetensors else "*")  # a part of a model can be pickled too
    pickled = sorted(
        str(path.relative_to(folder))
        for path in candidates
        if path.suffix in _PICKLED and not any(path.parent.glob("*.safetensors"))
    )
    if pickled:
        raise RequestFailed(
            "not_supported",
            f"`{model}` has weights only as `{pickled[0]}`, a format that can execute code when it is read.",
            hint="Use a model with safetensors weights, or convert it on a machine that you can afford to lose.",
        )
    if has_safetensors:
        return
    raise RequestFailed(
        "model_not_found", f"`{model}` has no safetensors weights.", hint="`save_pretrained` writes them."
    )
