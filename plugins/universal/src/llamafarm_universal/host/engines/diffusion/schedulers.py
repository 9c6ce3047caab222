"""Schedulers by name: which there are for a pipeline, and one made anew for each drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import refused


@dataclass(frozen=True)
class _Row:
    """classes: of diffusers, of which the first that fits the pipeline is meant. changes: of the model's settings."""

    classes: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)


_KARRAS = {"use_karras_sigmas": True}
NAMES: Mapping[str, _Row] = {
    "ddim": _Row(("DDIMScheduler",)),
    "ddpm": _Row(("DDPMScheduler",)),
    "deis": _Row(("DEISMultistepScheduler",)),
    "dpmpp_2m": _Row(("DPMSolverMultistepScheduler",)),
    "dpmpp_2m_karras": _Row(("DPMSolverMultistepScheduler",), _KARRAS),
    "dpmpp_2m_sde": _Row(("DPMSolverMultistepScheduler",), {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_2m_sde_karras": _Row(("DPMSolverMultistepScheduler",), {"algorithm_type": "sde-dpmsolver++", **_KARRAS}),
    "dpmpp_singlestep": _Row(("DPMSolverSinglestepScheduler",)),
    "euler": _Row(("EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler")),
    "euler_ancestral": _Row(("EulerAncestralDiscreteScheduler",)),
    "euler_karras": _Row(("EulerDiscreteScheduler",), _KARRAS),
    "heun": _Row(("HeunDiscreteScheduler", "FlowMatchHeunDiscreteScheduler")),
    "kdpm2": _Row(("KDPM2DiscreteScheduler",)),
    "kdpm2_ancestral": _Row(("KDPM2AncestralDiscreteScheduler",)),
    "lcm": _Row(("LCMScheduler",)),
    "lms": _Row(("LMSDiscreteScheduler",)),
    "pndm": _Row(("PNDMScheduler",)),
    "unipc": _Row(("UniPCMultistepScheduler",)),
}
_OTHER_NAMES = {"euler_a": "euler_ancestral", "dpm++_2m": "dpmpp_2m", "dpmsolver++": "dpmpp_2m", "dpm": "dpmpp_2m"}


class Schedulers:
    """Those that fit a pipeline. own: the one that the model came with, whose settings all have."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._classes = {
            each.__name__: each for each in [type(own), *own.compatibles] if not hasattr(each, "_backends")
        }  # what has `_backends` stands for a class that needs a library which is not there

    @property
    def names(self) -> list[str]:
        """What users may ask for."""
        return [name for name, row in NAMES.items() if any(each in self._classes for each in row.classes)]

    def check(self, name: str) -> None:
        """Raise RequestFailed, naming those that there are, for one that does not fit."""
        self._found(name)

    def new(self, name: str | None) -> Any:
        """A scheduler of its own for one drawing; None: as the model came with it."""
        if name is None:
            return type(self._own).from_config(self._own.config)
        chosen, changes = self._found(name)
        return chosen.from_config(self._own.config, **changes)

    def _found(self, name: str) -> tuple[Any, Mapping[str, Any]]:
        """Its class, and what of the model's settings it changes; diffusers' own names of classes are names too."""
        if name in self._classes:
            return self._classes[name], {}
        row = NAMES.get(_OTHER_NAMES.get(name.lower(), name.lower()))
        for each in row.classes if row else ():
            if each in self._classes:
                assert row is not None
                return self._classes[each], row.changes
        raise refused(
            f"The scheduler `{name[:100]}` does not fit this model.",
            "scheduler",
            hint=f"There is: {', '.join(self.names) or type(self._own).__name__}.",
        )
