"""`lf see`, and `lf chat --file` with pictures and recordings: what is sent, and what is said of mistakes."""

from __future__ import annotations

import json

import pytest

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,YSBwaWN0dXJl"}}
FILM = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,YSBmaWxt"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "YSBzb3VuZA==", "format": "wav"}}


@pytest.fixture
def album(project):
    (project.folder / "cow.png").write_bytes(b"a picture")
    (project.folder / "moo.wav").write_bytes(b"a sound")
    (project.folder / "walk.mp4").write_bytes(b"a film")
    return project


def content(echo):
    [request] = echo.requests
    [message] = request["messages"]
    return message["content"]


def said(text):
    return {"type": "text", "text": text}


def test_a_question_about_a_picture_is_sent_with_it(album, echo):
    done = album.lf("see", "cow.png", "How many legs?")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert content(echo) == [PICTURE, said("How many legs?")]


def test_without_a_question_it_is_asked_what_there_is(album, echo):
    album.lf("see", "cow.png", "https://example.com/hen.jpg")
    address = {"type": "image_url", "image_url": {"url": "https://example.com/hen.jpg"}}
    assert content(echo) == [PICTURE, address, said("What is in this picture?")]


def test_a_film_is_sent_as_a_film_and_asked_what_happens_in_it(album, echo):
    album.lf("see", "walk.mp4", "https://example.com/run.webm?x=1")
    address = {"type": "video_url", "video_url": {"url": "https://example.com/run.webm?x=1"}}
    assert content(echo) == [FILM, address, said("What happens in this film?")]


def test_a_pipe_is_added_to_the_question(album, echo):
    album.lf("see", "cow.png", "Does it fit?", stdin="a cow\n")
    assert content(echo) == [PICTURE, said("Does it fit?\n\na cow")]


def test_a_program_gets_the_completion(album):
    answer = json.loads(album.lf("see", "cow.png", "What?", "--json").stdout)
    assert answer["object"] == "chat.completion"


def test_chat_takes_pictures_recordings_and_films_beside_texts(album, echo):
    (album.folder / "notes.md").write_text("from the file\n")
    album.lf("chat", "Compare", "-f", "cow.png", "-f", "notes.md", "-f", "moo.wav", "-f", "walk.mp4")
    assert content(echo) == [PICTURE, SOUND, FILM, said("Compare\n\nfrom the file")]


def test_a_picture_alone_is_a_message(album, echo):
    album.lf("chat", "--file", "cow.png")
    assert content(echo) == [PICTURE]


def test_the_same_request_is_shown_for_curl(album, echo):
    done = album.lf("chat", "What?", "--file", "cow.png", "--curl")
    assert "data:image/png;base64,YSBwaWN0dXJl" in done.stdout
    assert echo.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("see", "none.png", "What?"), 1, "There is no file 'none.png'."),
        (("see", "none.png"), 1, "There is no file 'none.png'."),
        (("see", "What is it?"), 1, "There is no file 'What is it?'."),
        (("chat", "Hi", "--file", "none.png"), 1, "none.png: No such file or directory"),
        (("see",), 2, "Missing argument"),
    ],
)
def test_what_is_not_there_is_named(album, echo, arguments, code, why):
    done = album.lf(*arguments)
    assert done.returncode == code
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert echo.requests == []


def test_a_file_that_is_no_picture_is_named(album):
    (album.folder / "notes.md").write_text("no picture")
    done = album.lf("see", "notes.md", "What?")
    assert done.returncode == 1
    assert "'notes.md' is neither a picture nor a film" in done.stderr
