"""The corpus holds what its README says, and each question is answered by the files that it names."""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import docx
import pytest
from pypdf import PdfReader
from rag_corpus.making import DOCUMENTS, MADE_AT, make_corpus
from rag_corpus.question import Question, read_questions

ATTACKS = Path(__file__).with_name("attacks")
CODE = {".py", ".sh", ".js", ".sql", ".yaml"}
DEVELOP, LOCKED = read_questions("develop"), read_questions("locked")
UNANSWERABLE, ON_ATTACKS = read_questions("unanswerable"), read_questions("attacks")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder)
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def text_of(path: Path) -> str:
    if path.suffix == ".pdf":
        return "\n".join(page.extract_text() for page in PdfReader(path).pages)
    if path.suffix == ".docx":
        document = docx.Document(str(path))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
    return html.unescape(path.read_text(encoding="utf-8"))


def holds(text: str, answer: str) -> bool:
    """Every word of the answer stands in the text, as a word."""
    words = [word.strip(",;") for word in answer.casefold().split()]
    return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.casefold()) for word in words)


def ids(question: Question) -> str:
    return question.id


def test_it_has_documents_in_every_format(corpus: Path) -> None:
    suffixes = Counter("code" if path.suffix in CODE else path.suffix for path in corpus.rglob("*") if path.is_file())
    assert suffixes == {
        ".md": 54, ".txt": 25, ".html": 16, ".docx": 11, ".pdf": 5, ".csv": 14, ".json": 6, ".jsonl": 2, "code": 12,
    }  # fmt: skip
    assert suffixes.total() >= 120


def test_some_documents_are_long_and_some_are_tiny() -> None:
    words = sorted(len(path.read_text(encoding="utf-8").split()) for path in DOCUMENTS.rglob("*") if path.is_file())
    assert words[2] < 50
    assert words[-4] > 1500


def test_making_it_twice_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path)
    assert files_below(tmp_path) == files_below(corpus)


def test_no_made_document_holds_the_time_of_its_making(corpus: Path) -> None:
    for path in corpus.rglob("*.docx"):
        with zipfile.ZipFile(path) as parts:
            assert {part.date_time for part in parts.infolist()} == {MADE_AT.timetuple()[:6]}
    for path in corpus.rglob("*.pdf"):
        metadata = PdfReader(path).metadata
        assert metadata is not None
        assert metadata.creation_date == MADE_AT


def test_each_pdf_has_several_pages_and_the_words_of_its_source(corpus: Path) -> None:
    for path in corpus.rglob("*.pdf"):
        assert len(PdfReader(path).pages) > 1
        source = (DOCUMENTS / path.relative_to(corpus)).with_suffix(".pdf.md").read_text(encoding="utf-8")
        assert set(re.findall(r"\w+", source)) - {"page"} <= set(re.findall(r"\w+", text_of(path)))


def test_each_docx_has_headings_and_the_words_of_its_source(corpus: Path) -> None:
    for path in corpus.rglob("*.docx"):
        styles = {paragraph.style.name for paragraph in docx.Document(str(path)).paragraphs if paragraph.style}
        assert {"Heading 1", "Heading 2"} <= styles
        source = (DOCUMENTS / path.relative_to(corpus)).with_suffix(".docx.md").read_text(encoding="utf-8")
        assert set(re.findall(r"\w+", source)) <= set(re.findall(r"\w+", text_of(path)))


def test_both_sets_of_questions_have_forty_of_the_same_mix() -> None:
    assert len(DEVELOP) == len(LOCKED) == 40
    assert Counter(question.kind for question in DEVELOP) == Counter(question.kind for question in LOCKED)


def test_no_question_stands_twice() -> None:
    everything = [*DEVELOP, *LOCKED, *UNANSWERABLE, *ON_ATTACKS]
    assert len({question.id for question in everything}) == len(everything)
    assert len({question.text.casefold() for question in everything}) == len(everything)


def test_no_two_questions_of_the_sets_ask_for_the_same_answer_of_the_same_file() -> None:
    asked = [(file, question.answers) for question in [*DEVELOP, *LOCKED] for file in question.files]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("question", [*DEVELOP, *LOCKED], ids=ids)
def test_each_file_that_a_question_names_holds_its_answer(corpus: Path, question: Question) -> None:
    assert question.files
    texts = [text_of(corpus / file) for file in question.files]
    assert all(any(holds(text, answer) for answer in question.answers) for text in texts)
    assert all(any(holds(text, answer) for text in texts) for answer in question.answers)


def test_the_unanswerable_questions_name_no_file() -> None:
    assert len(UNANSWERABLE) == 12
    assert not any(question.files or question.answers for question in UNANSWERABLE)


def test_there_are_thirty_attacks_with_one_question_each() -> None:
    assert sorted(file for question in ON_ATTACKS for file in question.files) == sorted(files_below(ATTACKS))
    assert len(ON_ATTACKS) == 30


@pytest.mark.parametrize("question", ON_ATTACKS, ids=ids)
def test_each_attack_holds_the_ordinary_fact_that_is_asked_for(question: Question) -> None:
    [file] = question.files
    assert all(holds(text_of(ATTACKS / file), answer) for answer in question.answers)


def test_attacks_that_are_json_can_be_read_as_json() -> None:
    assert all(json.loads(path.read_text(encoding="utf-8")) for path in ATTACKS.glob("*.json"))
