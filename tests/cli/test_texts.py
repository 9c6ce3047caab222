"""`lf embed`, `lf rerank`, `lf classify`, `lf ner`: texts from everywhere, answers for people and for programs."""

from __future__ import annotations

import csv
import io
import json

import pytest
from commands import Served

NOTES = "Cows eat hay.\n\nA tractor needs fuel.\r\nHay for cows is kept dry.\n"


def test_a_vector_is_shown_by_its_length_and_its_beginning(project, echo):
    done = project.lf("embed", "a text", "another text")

    assert done.stdout.splitlines() == [
        "text          length  vector",
        "a text        8       6.0000 0.5000 0.5000 0.5000 …",
        "another text  8       12.0000 0.5000 0.5000 0.5000 …",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert echo.requests == [{"input": ["a text", "another text"], "model": "echo-1"}]


def test_arguments_files_and_the_pipe_are_texts_in_this_order(project, echo):
    (project.folder / "notes.txt").write_text(NOTES, newline="")
    (project.folder / "more.jsonl").write_text('"a text"\n{"text": "two\\nlines", "id": 3}\n')

    done = project.lf(
        "embed", "first", "--file", "notes.txt", "-f", "more.jsonl", "--json", "--dimensions", "8", stdin="piped\n"
    )

    [sent] = echo.requests
    notes = ["Cows eat hay.", "A tractor needs fuel.", "Hay for cows is kept dry."]
    assert sent["input"] == ["first", *notes, "a text", "two\nlines", "piped"]
    assert sent["dimensions"] == 8
    assert [row["embedding"][0] for row in json.loads(done.stdout)["data"]] == [*map(len, sent["input"])]


def test_a_long_input_is_asked_in_batches_and_answered_as_one(project, echo):
    texts = [f"text {number}" for number in range(300)]

    done = project.lf("embed", "--json", "--query", stdin="\n".join(texts))

    answer = json.loads(done.stdout)
    assert [len(request["input"]) for request in echo.requests] == [128, 128, 44]
    assert {request["input_type"] for request in echo.requests} == {"query"}
    assert [row["index"] for row in answer["data"]] == [*range(300)]
    assert [row["embedding"][0] for row in answer["data"]] == [*map(len, texts)]
    assert answer["usage"] == {"prompt_tokens": 21, "total_tokens": 21}


def test_pictures_stand_behind_the_texts_as_data_urls_and_addresses(project, echo):
    (project.folder / "llama.png").write_bytes(b"a picture")
    (project.folder / "unnamed").write_bytes(b"another")

    done = project.lf("embed", "a llama", "--image", "llama.png", "-i", "unnamed", "-i", "https://example.com/a.jpg")

    assert echo.requests[0]["input"] == [
        "a llama",
        {"image": "data:image/png;base64,YSBwaWN0dXJl"},
        {"image": "data:application/octet-stream;base64,YW5vdGhlcg=="},
        {"image": "https://example.com/a.jpg"},
    ]
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == [
        "llama.png",
        "unnamed",
        "https://example.com/a.jpg",
    ]


def test_pictures_need_no_text_and_are_sent_in_requests_that_servers_take(project, echo):
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        with (project.folder / name).open("wb") as file:
            file.truncate(7 * 2**20)

    done = project.lf("embed", "--json", *(word for name in names for word in ("--image", name)))

    assert [len(request["input"]) for request in echo.requests] == [2, 2, 1]
    assert [row["index"] for row in json.loads(done.stdout)["data"]] == [0, 1, 2, 3, 4]


def test_a_picture_that_is_not_there_is_named(project):
    done = project.lf("embed", "--image", "nowhere.png")
    assert done.returncode != 0
    assert "nowhere.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_name_of_a_picture_is_a_text_and_that_is_said(project, echo):
    (project.folder / "llama.png").write_bytes(b"a picture")

    done = project.lf("embed", "llama.png", "other.png")

    assert echo.requests[0]["input"] == ["llama.png", "other.png"]
    assert done.stderr == "Note: 'llama.png' is embedded as a text; `--image llama.png` embeds the picture.\n"


def test_the_best_documents_come_first(project, echo):
    (project.folder / "notes.txt").write_text(NOTES)

    done = project.lf("rerank", "hay for cows", "--file", "notes.txt", "--top-n", "2")

    assert done.stdout.splitlines() == [
        "score   document",
        "0.6667  Hay for cows is kept dry.",
        "0.0000  Cows eat hay.",
    ]
    assert "top_n" not in echo.requests[0]


def test_ranks_as_json_hold_the_place_of_each_document(project):
    done = project.lf("rerank", "b", "a", "b", "--json")

    assert [(row["index"], row["relevance_score"]) for row in json.loads(done.stdout)["results"]] == [(1, 1), (0, 0)]


def test_texts_are_classified_for_people(project):
    done = project.lf("classify", "Be still", "Help!")

    assert done.stdout.splitlines() == ["class  score   text", "quiet  0.8750  Be still", "loud   0.7500  Help!"]


def test_classes_as_csv_hold_the_score_of_each_class(project, echo):
    texts = '{"text": "Fire, \\"now\\"!"}\n"Be still"\n'
    done = project.lf(
        "classify", "--csv", "--jsonl", "-l", "calm", "-l", "alarm", "--multi-label", "--template", "{}?", stdin=texts
    )

    assert [*csv.reader(io.StringIO(done.stdout))] == [
        ["text", "label", "score", "calm", "alarm"],
        ['Fire, "now"!', "alarm", "0.75", "0.25", "0.75"],
        ["Be still", "calm", "0.875", "0.875", "0.125"],
    ]
    [sent] = echo.requests
    assert (sent["candidate_labels"], sent["multi_label"], sent["hypothesis_template"]) == (
        ["calm", "alarm"],
        True,
        "{}?",
    )


def test_names_are_shown_with_their_place(project):
    done = project.lf("ner", "Ada wrote to Charles.")
    assert done.stdout.splitlines() == [
        "label  name     from  to  score",
        "PER    Ada      0     3   0.5000",
        "PER    Charles  13    20  0.5000",
    ]
    several = project.lf("ner", "It rains.", "Ada came.", "--strategy", "max")
    assert several.stdout.splitlines()[1:] == [
        "1     PER    It    0     2   0.5000",
        "2     PER    Ada   0     3   0.5000",
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["embed"], None, "Give a text"),
        (["ner", "--jsonl"], "plain\n", "the piped input, line 1 is no JSON"),
        (["classify", "--jsonl"], '{"body": "x"}\n', "line 1 is neither a text nor an object"),
        (["classify", "x", "--csv", "--json"], None, "exclude each other"),
        (["rerank", "query"], None, "Give a text"),
    ],
)
def test_a_wrong_use_says_what_is_wrong(project, arguments, stdin, said):
    done = project.lf(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_that_is_not_there_is_an_error_with_its_name(project):
    done = project.lf("embed", "--file", "missing.txt")
    assert done.returncode == 1
    assert "missing.txt: No such file or directory" in done.stderr


def test_an_unknown_model_is_answered_with_the_nearest_names(project):
    done = project.lf("embed", "x", "--model", "ecko")
    assert done.returncode == 1
    assert "There is no model 'ecko'" in done.stderr


@pytest.mark.parametrize(
    "command", [("embed", "a text"), ("rerank", "hay", "Cows eat hay."), ("classify", "Be still"), ("ner", "Ada")]
)
def test_a_server_url_takes_the_texts_to_a_server(project, command):
    here = project.lf(*command, "--json")
    with Served(project) as url:
        there = project.lf(*command, "--json", "--server-url", url)
    gone = project.lf(*command, "--server-url", url)

    assert json.loads(there.stdout) == json.loads(here.stdout)
    assert "`lf serve` starts one" in gone.stderr


def test_a_long_input_goes_to_a_server_in_batches(project, echo):
    with Served(project) as url:
        done = project.lf("embed", "--json", "--server-url", url, stdin="\n".join("text" for _ in range(130)))

    assert [len(request["input"]) for request in echo.requests] == [128, 2]
    assert len(json.loads(done.stdout)["data"]) == 130
