"""What requests for vectors, scores and classes of texts may say: one table per operation, one row per field."""

from __future__ import annotations

from llamafarm_universal.server.fields import Advisory, Done, Table, boolean, choice, integer, text
from llamafarm_universal.server.inputs import countable, documents, embedding_input, labels, texts

EMBEDDINGS: Table = {
    "model": Done(text, required=True),
    "input": Done(
        embedding_input,
        required=True,
        note="texts, token ids, and pictures: objects with `image` or `image_url`; those with `text` are texts.",
    ),
    "encoding_format": Done(choice("float", "base64")),
    "dimensions": Done(integer(1, 65536)),
    "input_type": Done(choice("query", "document"), note="'query' or 'document': the author's prompt for it, if any."),
    "user": Advisory(),
}

COUNT_TEXTS: Table = {
    "model": Done(text, required=True),
    "input": Done(countable, required=True, note="texts, which may be empty."),
    "user": Advisory(),
}

RERANK: Table = {
    "model": Done(text, required=True),
    "query": Done(text, required=True),
    "documents": Done(documents, required=True, note="texts, or objects with `text`."),
    "top_n": Done(integer(1)),
    "return_documents": Done(boolean),
    "user": Advisory(),
}

SCORE: Table = {
    "model": Done(text, required=True),
    "text_1": Done(texts, required=True),
    "text_2": Done(texts, required=True),
    "user": Advisory(),
}

CLASSIFY: Table = {
    "model": Done(text, required=True),
    "input": Done(texts, required=True),
    "candidate_labels": Done(labels, note="for models that infer one text from another."),
    "hypothesis_template": Done(text, note="'This example is {}.' by default."),
    "multi_label": Done(boolean),
    "use_activation": Done(boolean),
    "user": Advisory(),
}

NER: Table = {
    "model": Done(text, required=True),
    "input": Done(texts, required=True),
    "aggregation_strategy": Done(choice("none", "simple", "first", "average", "max")),
    "user": Advisory(),
}
