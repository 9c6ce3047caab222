"""What llamafarm.yaml says of the handler: `handlers: {classifier: …}`, or `handler_options` of an entry."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llamafarm_agents.classifier.keys import MOST_KEYS

Text = Annotated[str, Field(min_length=1)]
Method = Literal["decoding", "classify", "embeddings"]


class LabelOptions(BaseModel):
    """One class, by its label."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    description: str = Field(default="", description="What belongs to it.")
    examples: list[Text] = Field(default_factory=list, description="Texts that belong to it.")
    model_label: str | None = Field(
        default=None, alias="from", description="What a classification model calls it, where that differs."
    )


class ClassifierOptions(BaseModel):
    """The classes, and how a text is sorted into them."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    labels: dict[Text, LabelOptions | str | None] | list[Text] = Field(
        default_factory=dict,
        description="The classes: each label with a description, with `{description, examples, from}`, or alone.",
    )
    method: Method | None = Field(
        default=None,
        description="`decoding` asks a chat model, `classify` a classification model, `embeddings` compares with "
        "descriptions and examples; by default what the model is for.",
    )
    model: str | None = Field(
        default=None, min_length=1, description="The name of the model entry that is asked, where it is another one."
    )
    multi_label: bool = Field(default=False, description="Judge each class by itself: several may fit, or none.")
    threshold: float = Field(default=0.5, gt=0, le=1, description="With `multi_label`: the least score that fits.")
    instructions: str | None = Field(default=None, description="What `decoding` tells the model first.")
    max_tokens: int = Field(
        default=32, ge=1, description="Of an answer with `decoding`; more for models that think before they answer."
    )

    @property
    def classes(self) -> dict[str, LabelOptions]:
        """All that is said of each class, in the order of the file."""
        if isinstance(self.labels, list):
            return {label: LabelOptions() for label in self.labels}
        return {label: _options(said) for label, said in self.labels.items()}

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if isinstance(self.labels, list) and len({*self.labels}) < len(self.labels):
            raise ValueError("`labels` names a class twice")
        return self

    def problem(self, method: Method) -> str | None:
        """Why these classes cannot be told apart by that method; None where they can.

        Classes and method may stand in different places of the file, so that it is asked once both are known.
        """
        classes = self.classes
        if method in ("decoding", "embeddings") and len(classes) < (1 if self.multi_label else 2):
            return f"`method: {method}` needs `labels`: {'one' if self.multi_label else 'two'} or more"
        if method == "decoding" and not self.multi_label and len(classes) > MOST_KEYS:
            return f"`method: decoding` tells {MOST_KEYS} classes apart, not {len(classes)}; `embeddings` has no limit"
        bare = [label for label, options in classes.items() if not (options.description or options.examples)]
        if method == "embeddings" and bare:
            return f"`method: embeddings` needs a description or `examples` of each class; {', '.join(bare)} has none"
        renamed = [label for label, options in classes.items() if options.model_label]
        if method in ("decoding", "embeddings") and renamed:
            return f"`from` names the class of a classification model, which `method: {method}` does not ask"
        return None


def _options(said: LabelOptions | str | None) -> LabelOptions:
    return said if isinstance(said, LabelOptions) else LabelOptions(description=said or "")
