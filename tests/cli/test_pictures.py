"""`lf detect`, `lf depth`: what is in pictures, for people, for programs and as files."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def look(project, echo):
    """look("detect", …) asks the server about pictures of the project."""
    (project.folder / "cow.png").write_bytes(b"a picture")
    (project.folder / "hen.png").write_bytes(b"another")
    return lambda *arguments: project.lf(*arguments, "--server-url", echo.url)


def test_objects_are_shown_with_their_places(look, echo):
    done = look("detect", "cow.png")
    assert done.stdout.splitlines() == [
        "object  score   left  top  right  bottom",
        "cow     0.5000  1     2    31     34",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert echo.requests == [{"input": [{"image": "data:image/png;base64,YSBwaWN0dXJl"}]}]


def test_labels_and_several_pictures_are_asked_about_at_once(look, echo):
    done = look("detect", "cow.png", "https://example.com/hen.jpg", "-l", "a hen", "-l", "a cow", "--threshold", "0.25")
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [
        "picture",
        "cow.png",
        "https://example.com/hen.jpg",
    ]
    [request] = echo.requests
    assert request["input"][1] == {"image": "https://example.com/hen.jpg"}
    assert (request["candidate_labels"], request["threshold"]) == (["a hen", "a cow"], 0.25)


def test_programs_get_json(look):
    answer = json.loads(look("detect", "cow.png", "hen.png", "--json").stdout)
    assert [row["index"] for row in answer["data"]] == [0, 1]
    assert json.loads(look("depth", "cow.png", "--json").stdout)["data"][0]["most"] == 20.0


def test_depth_is_written_to_a_file_or_a_pipe(look, project):
    done = look("depth", "cow.png", "-o", "out.png")
    assert (project.folder / "out.png").read_bytes() == b"a picture"
    assert (done.stdout, done.stderr) == ("", "out.png: black is 0.5, white is 20, as the model measures.\n")
    piped = look("depth", "cow.png")
    assert (piped.stdout, piped.stderr) == ("a picture", "black is 0.5, white is 20, as the model measures.\n")


def test_a_picture_that_is_not_there_is_named(look):
    done = look("detect", "none.png")
    assert done.returncode == 1
    assert "none.png: No such file or directory" in done.stderr


def test_a_provider_that_cannot_look_at_pictures_says_so(project):
    (project.folder / "cow.png").write_bytes(b"a picture")
    done = project.lf("detect", "cow.png")
    assert done.returncode == 1
    assert "vision/detect" in done.stderr
