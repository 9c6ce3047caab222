"""`data_processing_strategies`: today's names, those of older files, and what is refused with what to write now."""

from __future__ import annotations

import pytest
from llamafarm_rag.config.processing import ParserOptions, ProcessingStrategy
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("old", "kind"), [("MarkdownParser_Python", "markdown"), ("PDFParser_LlamaIndex", "pdf"), ("CSVParser", "csv")]
)
def test_kinds_of_older_files_load(old, kind):
    assert ParserOptions.model_validate({"type": old}).type == kind


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"type": "ExcelParser_Pandas"}, "'text', 'markdown'"),
        ({"type": "text", "config": {"chunk_size": 1000}}, "count tokens, not characters"),
        ({"type": "text", "mime_types": ["text/plain"]}, "write `file_extensions`"),
        ({"type": "text", "chunk_size": 15}, "greater than or equal to 16"),
    ],
)
def test_what_no_parser_follows_is_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        ProcessingStrategy.model_validate({"name": "mine", "parsers": [options]})


def test_extractors_are_refused():
    with pytest.raises(ValidationError, match="always kept as metadata"):
        ProcessingStrategy.model_validate({"name": "mine", "extractors": []})
