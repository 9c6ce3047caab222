"""What is said when the runtime cannot be started, and by which way it goes on."""

from __future__ import annotations

import socket

from farms import Farm


def test_a_runtime_that_dies_while_starting_shows_the_end_of_its_log(road: Farm) -> None:
    road.environ["UNIVERSAL_RUNTIME_MAX_REQUESTS"] = "many"

    done = road.lf("chat", "Count")

    assert (done.returncode, done.stdout) == (1, "")
    assert "The Universal Runtime ended while it was starting" in done.stderr
    assert "UNIVERSAL_RUNTIME_MAX_REQUESTS must be a number of 0 or more, not 'many'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "not 'many'" in road.lf("logs").stdout
    assert road.services() == []


def test_a_port_that_another_program_listens_on_is_named(road: Farm) -> None:
    with socket.create_server(("127.0.0.1", int(road.environ["UNIVERSAL_RUNTIME_PORT"]))):
        done = road.lf("chat", "Count")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {road.environ['UNIVERSAL_RUNTIME_PORT']} is in use by " in done.stderr
    assert "`base_url`" in done.stderr


def test_a_web_server_that_is_no_runtime_is_named_too(farm: Farm, echo) -> None:
    port = echo.url.rsplit(":", 1)[1]
    farm.write(f"runtime: {{models: {{a: {{provider: universal, model: a/b, base_url: '{echo.url}'}}}}}}")

    done = farm.lf("chat", "Hello")

    assert done.returncode == 1
    assert f"port {port} is in use by " in done.stderr
    assert echo.requests == []
