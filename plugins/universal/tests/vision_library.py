"""What plain transformers says of a picture, in the shape of the engine's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL.Image import Image


class Library:
    """A model and its image processor. auto: the class that loads it, such as `ImageClassification`."""

    def __init__(self, folder: Path, auto: str, **settings: Any) -> None:
        name = f"AutoModelFor{auto}" if auto else "AutoModel"
        self.model = getattr(transformers, name).from_pretrained(folder, **settings).eval()
        self.processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        self.labels = self.model.config.id2label

    def pixels(self, image: Image) -> Any:
        return self.processor(images=image, return_tensors="pt")

    def output(self, image: Image, **texts: Any) -> Any:
        with torch.no_grad():
            return self.model(**{**self.pixels(image), **texts})

    def classes(self, image: Image) -> list[tuple[str, float]]:
        scores = self.output(image).logits[0].softmax(-1).tolist()
        return sorted(zip(self.labels.values(), scores, strict=True), key=lambda pair: -pair[1])

    def objects(self, image: Image, threshold: float, output: Any = None, labels: Any = None) -> list[Any]:
        """Each a label, a score and the numbers of its box."""
        [found] = self.processor.post_process_object_detection(
            output or self.output(image), threshold=threshold, target_sizes=[image.size[::-1]]
        )
        names = [(labels or self.labels)[int(label)] for label in found["labels"]]
        rows = zip(names, found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        return sorted(rows, key=lambda row: -row[1])

    def parts(self, image: Image, kind: str, threshold: float, **texts: Any) -> list[tuple[str, float | None, Any]]:
        """Each a label, a score and a mask."""
        size, output = [image.size[::-1]], self.output(image, **texts)
        if kind == "semantic":
            [numbers] = self.processor.post_process_semantic_segmentation(output, target_sizes=size)
            return [(self.labels[int(each)], None, (numbers == each).numpy()) for each in numbers.unique()]
        process = getattr(self.processor, f"post_process_{kind}_segmentation")
        [found] = process(output, threshold=threshold, target_sizes=size)
        numbers = found["segmentation"]
        return [
            (self.labels[part["label_id"]], part["score"], (numbers == part["id"]).numpy())
            for part in found["segments_info"]
        ]

    def depth(self, image: Image) -> Any:
        [found] = self.processor.post_process_depth_estimation(self.output(image), target_sizes=[image.size[::-1]])
        return found["predicted_depth"].numpy()


def check_objects(told: Any, wanted: list[Any]) -> None:
    """Fail where the objects of a picture are not those of the library."""
    assert [item.label for item in told.objects] == [label for label, _, _ in wanted]
    assert np.allclose([item.score for item in told.objects], [score for _, score, _ in wanted], atol=1e-5)
    assert np.allclose([item.box for item in told.objects], [box for _, _, box in wanted], atol=1e-3)
