"""What the operator of this server allows: the token that LlamaFarm gave it, and the models of its own file."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from llamafarm.errors import ConfigError, RequestError

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.gguf import is_gguf
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.safety import LocalFolder, is_weights_alone, parse_model_id
from llamafarm_universal.server.fields import Done, Table, boolean, number, parse, text
from llamafarm_universal.server.keep import FOREVER, Keep
from llamafarm_universal.server.tables.models import MAX_KEEP_ALIVE, SETTINGS

TOKEN_HEADER = "X-LF-Service-Token"  # noqa: S105 - the header's name
CONFIG_VARIABLE = "UNIVERSAL_RUNTIME_CONFIG"
SIGNATURE_DIGITS = 32
BESIDE = ("draft_model", "vocoder", "adapter")
"""The settings that name other models, whose files are read too."""
MODEL: Table = {
    "id": Done(text, required=True),
    "keep": Done(boolean),
    "keep_alive": Done(number(FOREVER, MAX_KEEP_ALIVE)),
    "group": Done(text),
    **{name: Done(parser) for name, parser in SETTINGS.items()},
}


@dataclass(frozen=True)
class Operator:
    """token: shown by LlamaFarm, which started this server.

    models: by id, those of the server's own file. keeps: how long they stay, where the file says so.
    """

    token: str | None = field(default=None, repr=False)
    models: Mapping[str, ModelRef] = field(default_factory=dict)
    keeps: Mapping[ModelRef, Keep] = field(default_factory=dict)

    def trusts(self, shown: str | None) -> bool:
        """Whether a request shows the token; the comparison takes the same time wherever they differ."""
        if self.token is None or shown is None:
            return False
        return hmac.compare_digest(self.token.encode(), shown.encode("latin-1"))  # as HTTP carries header bytes

    def sign(self, text: str) -> str | None:
        """What shows that LlamaFarm has asked for this text; None where it has given this server no token."""
        if self.token is None:
            return None
        return hmac.new(self.token.encode(), text.encode(), "sha256").hexdigest()[:SIGNATURE_DIGITS]

    def signed(self, text: str, signature: str | None) -> bool:
        """Whether a text was signed with this server's token."""
        own = self.sign(text)
        return own is not None and hmac.compare_digest(own.encode(), (signature or "").encode())

    def admits(self, ref: ModelRef) -> bool:
        """Whether a request without the token may load this model.

        Privileged are trust_remote_code (it executes the model's code) and local folders (they read the disk), those of
        a draft model and an adapter too. A revision is not: it names files that are as safe as those of the default
        branch, but with trust_remote_code it must be the file's own, since other commits are other code.
        """
        if not is_privileged(ref):
            return True
        allowed = self.models.get(ref.id)
        if allowed is None:
            return False
        if any(getattr(allowed.settings, name) != folder for name, folder in folders_beside(ref)):
            return False
        if not ref.settings.trust_remote_code:
            return True
        return allowed.settings.trust_remote_code and allowed.settings.revision == ref.settings.revision


def is_privileged(ref: ModelRef) -> bool:
    return ref.settings.trust_remote_code or is_folder(ref.id) or bool(folders_beside(ref))


def folders_beside(ref: ModelRef) -> list[tuple[str, str]]:
    """The local folders that a model's settings name, each with the name of the setting."""
    named = [(name, getattr(ref.settings, name)) for name in BESIDE]
    return [(name, folder) for name, folder in named if folder is not None and is_folder(folder)]


def is_folder(model_id: str) -> bool:
    return model_id.startswith(("/", "~", ".")) or Path(model_id).is_absolute()


def checked_ref(model_id: str, settings: LoadSettings, folder: Path | None = None) -> ModelRef:
    """A model and its settings, with the ids in them as `checked_id` returns them. Raises RequestFailed."""

    def whole(name: str) -> str | None:
        model = getattr(settings, name)
        return None if model is None else checked_id(model, folder, name)

    for name in ("adapter_revision", "adapter_scale"):
        if settings.adapter is None and getattr(settings, name) != getattr(LoadSettings(), name):
            raise refused(f"`{name}` says something of an adapter, and none is named.", name)
    beside = replace(settings, draft_model=whole("draft_model"), vocoder=whole("vocoder"), adapter=whole("adapter"))
    ref = ModelRef(checked_id(model_id, folder), beside)
    for name, model in (("model", ref.id), ("draft_model", beside.draft_model)):
        if model is not None and is_weights_alone(model):
            raise refused(f"`{model}` is a file of weights, and no model.", name, hint="It may be named as an adapter.")
    return ref


def checked_id(model_id: str, folder: Path | None = None, param: str = "model") -> str:
    """Return a model id as refs carry it: a local folder as its whole path.

    folder: what relative folders begin at, else the working directory. param: of the request, that it came in. Raises
    RequestFailed.
    """
    source = parse_model_id(model_id, param)
    if not isinstance(source, LocalFolder):
        return model_id
    try:
        path = source.path if source.path.is_absolute() else (folder or _working_directory()) / source.path
        return str(path.parent.resolve() / path.name if is_gguf(path) else path.resolve())
    except (OSError, RuntimeError):
        raise refused(f"`{model_id}` is a link that leads to itself.", param) from None


def _working_directory() -> Path:
    """Raises RequestFailed where the folder that the runtime was started in is gone."""
    try:
        return Path.cwd()
    except OSError:
        raise refused(
            "The folder that the runtime was started in is gone: name the model by its whole path.", "model"
        ) from None


def read_operator(token_file: Path | None, config_file: Path | None) -> Operator:
    """Read what the environment names. Raises ConfigError."""
    entries = _read_entries(config_file) if config_file else []
    keeps = {ref: keep for ref, keep in entries if keep is not None}
    return Operator(_read_token(token_file), {ref.id: ref for ref, _ in entries}, keeps)


def _read_token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"LF_SERVICE_TOKEN_FILE {path} cannot be read: {error}.") from None
    if not token:
        raise ConfigError(f"LF_SERVICE_TOKEN_FILE {path} is empty.")
    return token


def _read_entries(path: Path) -> list[tuple[ModelRef, Keep | None]]:
    """The models of a file, each with how long it is to stay, where the file says so."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{CONFIG_VARIABLE} {path} cannot be read: {error}") from None
    entries = document.get("models") if isinstance(document, dict) and set(document) == {"models"} else None
    if not isinstance(entries, list):
        raise ConfigError(f"{path} must hold `models:`, a list of entries with `id` and settings, and nothing else.")
    read = [_read_entry(entry, f"{path}: models[{i}]", path.parent) for i, entry in enumerate(entries)]
    if len({ref.id for ref, _ in read}) < len(read):
        raise ConfigError(f"{path} names a model twice.")
    return read


def _read_entry(entry: Any, where: str, folder: Path) -> tuple[ModelRef, Keep | None]:
    if not isinstance(entry, dict) or not all(isinstance(name, str) for name in entry):
        raise ConfigError(f"{where} must be a mapping with `id` and settings.")
    try:
        values = dict(parse(entry, MODEL).values)
        keep = _keep(values.pop("keep", False), values.pop("keep_alive", None), values.pop("group", None))
        return checked_ref(values.pop("id"), LoadSettings(**values), folder), keep
    except RequestError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
    except RequestFailed as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None


def _keep(pinned: bool, keep_alive: float | None, group: str | None) -> Keep | None:
    if not pinned and keep_alive is None and group is None:
        return None
    return Keep.of(keep_alive, group, default=Keep(None, pinned=True) if pinned else Keep())
