"""An adapter of a model entry."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from llamafarm_universal.model_names import placed_adapter


class Adapter(BaseModel):
    """What changes a loaded model for some requests: LoRA of peft, or of diffusers."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Requests ask for it as `ENTRY:NAME`.", examples=["pirate"]
    )
    model: Annotated[str, AfterValidator(placed_adapter)] = Field(
        min_length=1,
        description="A Hugging Face id, or a folder (relative to llamafarm.yaml); of several adapters in one, a file: "
        "`org/name:FILE.safetensors`, `./FILE.safetensors`.",
    )
    revision: str | None = Field(default=None, description="Branch, tag or commit of the adapter's repository.")
    scale: float = Field(
        default=1.0, ge=-100, le=100, allow_inf_nan=False, description="How strongly it changes the model."
    )

    def settings(self) -> dict[str, Any]:
        """The settings as the runtime's `load` takes them: those that are not the default."""
        named = {"adapter": self.model, "adapter_revision": self.revision, "adapter_scale": self.scale}
        return {name: value for name, value in named.items() if value not in (None, 1.0)}
