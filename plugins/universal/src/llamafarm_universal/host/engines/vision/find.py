"""Objects in pictures that a request names in words: OWLv2 and Grounding DINO."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from llamafarm_universal.engine import DetectObjects, Found, RequestFailed, refused
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.tokens import Tokens
from llamafarm_universal.host.engines.vision.detect import found_in
from llamafarm_universal.host.engines.vision.head import PicturesHead, size_of
from llamafarm_universal.host.engines.vision.model import Seen, output_of

LABELLED_THRESHOLD = 0.1
"""Of OWL's scores, where a request says none. Source: transformers' zero-shot object detection pipeline."""
GROUNDED_THRESHOLD = 0.25
"""Of Grounding DINO's scores, and of those of the words. Source: transformers' GroundingDinoProcessor."""


class LabelledHead(PicturesHead):
    """OWL-ViT and OWLv2: every label is a text of its own, padded to all positions of the model."""

    says = ("logits", "pred_boxes")

    def __init__(self, pictures: ProcessedPictures, tokens: Tokens, filler: int) -> None:
        super().__init__(pictures)
        self._tokens = tokens
        self._filler = filler

    def asked(self, work: DetectObjects) -> Hashable:
        rows = [row.ids for row in self._tokens.rows(_labels_of(work), field="candidate_labels")]
        length = self._tokens.limit or max(map(len, rows))
        texts = tuple((*ids, *[self._filler] * (length - len(ids))) for ids in rows)
        mask = tuple((*[1] * len(ids), *[0] * (length - len(ids))) for ids in rows)
        return ("input_ids", texts), ("attention_mask", mask)

    def item(self, work: DetectObjects, row: Row, seen: Seen) -> Found:
        threshold = LABELLED_THRESHOLD if work.threshold is None else work.threshold
        [found] = self._pictures.processor.post_process_object_detection(
            output_of(seen), threshold=threshold, target_sizes=[size_of(row)]
        )
        labels = [work.labels[int(number)] for number in found["labels"]]
        return found_in(row, labels, found["scores"].tolist(), found["boxes"].tolist())


class GroundedHead(PicturesHead):
    """Grounding DINO: all labels are one text, and an object's label is what of it fits. limit: tokens of that text."""

    says = ("logits", "pred_boxes", "input_ids")

    def __init__(self, pictures: ProcessedPictures, processor: Any, limit: int) -> None:
        super().__init__(pictures)
        self._processor = processor
        self._limit = limit

    def asked(self, work: DetectObjects) -> Hashable:
        labels = [label.strip().rstrip(".").lower() for label in _labels_of(work)]
        encoded = self._processor.tokenizer(". ".join(labels) + ".", return_token_type_ids=True, verbose=False)
        if len(encoded["input_ids"]) > self._limit:
            raise RequestFailed(
                "context_length",
                f"The labels have {len(encoded['input_ids']):,} tokens together; the model can take {self._limit:,}.",
                hint="Ask with fewer labels at once.",
                param="candidate_labels",
            )
        return tuple((name, (tuple(encoded[name]),)) for name in ("input_ids", "attention_mask", "token_type_ids"))

    def item(self, work: DetectObjects, row: Row, seen: Seen) -> Found:
        threshold = GROUNDED_THRESHOLD if work.threshold is None else work.threshold
        [found] = self._processor.post_process_grounded_object_detection(
            output_of({**seen, "input_ids": seen["input_ids"].long()}),
            threshold=threshold,
            text_threshold=GROUNDED_THRESHOLD,
            target_sizes=[size_of(row)],
        )
        return found_in(row, found["text_labels"], found["scores"].tolist(), found["boxes"].tolist())


def _labels_of(work: DetectObjects) -> tuple[str, ...]:
    """Raises RequestFailed where there are none."""
    if not work.labels:
        raise refused(
            "This model finds what a request names, and the request names nothing.",
            "candidate_labels",
            hint='Say what to look for: `"candidate_labels": ["a cat", "a remote control"]`.',
        )
    return work.labels
