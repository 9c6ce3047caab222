"""What the server asks of an engine host, and of the store of models' files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamafarm_universal.messages.machine import Machine
from llamafarm_universal.messages.model import ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.messages.work.base import Work

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself


@dataclass(frozen=True)
class Load:
    """Read a model's weights. grant: how many bytes its engine may use beside them."""

    request_id: str
    plan: LoadPlan
    grant: int


@dataclass(frozen=True)
class Run:
    """Have a model do a work; one that is not loaded is a failure.

    deadline: until when somebody waits for the answer, in seconds of `time.monotonic()`, which the processes of a
    machine share. tenant: on whose behalf; the host makes no difference between them. folder: where large results are
    written, of a work that has some.
    """

    request_id: str
    ref: ModelRef
    work: Work
    deadline: float | None = None
    tenant: str = ""
    folder: SpoolFolder | None = None


@dataclass(frozen=True)
class Unload:
    """Let a model go, whatever it is doing; one that is not loaded is a failure."""

    request_id: str
    ref: ModelRef


@dataclass(frozen=True)
class Locate:
    """Have a model's files on this machine, and say how it is to be loaded there. Cancelling is as for Pull."""

    request_id: str
    ref: ModelRef
    machine: Machine


@dataclass(frozen=True)
class Pull:
    """Have the model's files on this machine. Cancelling ends the download; what has come stays."""

    request_id: str
    ref: ModelRef


@dataclass(frozen=True)
class Describe:
    """Say what is on the disk of each of these models; asks no network."""

    request_id: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Inspect:
    """Read what the files of these models say of them; asks no network."""

    request_id: str
    refs: tuple[ModelRef, ...]


@dataclass(frozen=True)
class Remove:
    """Delete a hub model's files, in all revisions; whoever asks has unloaded it before.

    From then on cancelling does not stop it. A model that is being fetched is a failure.
    """

    request_id: str
    model: str


@dataclass(frozen=True)
class Cancel:
    request_id: str


@dataclass(frozen=True)
class Stop:
    pass


HostRequest = Load | Run | Unload
StoreRequest = Locate | Pull | Describe | Inspect | Remove
Command = HostRequest | StoreRequest | Cancel | Stop
