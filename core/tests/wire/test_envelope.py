"""Errors as OpenAI's envelope, and the envelopes of others."""

from __future__ import annotations

import json

import pytest
from llamafarm.errors import LlamaFarmError, ModelNotFound, RequestError
from llamafarm.wire import sse
from llamafarm.wire.envelope import error_envelope, error_event, read_error


def test_an_error_carries_message_type_code_and_param():
    error = RequestError("`n` must be positive.", code="bad_n", param="n")
    assert error_envelope(error) == {
        "error": {
            "message": "`n` must be positive.",
            "type": "invalid_request_error",
            "code": "bad_n",
            "param": "n",
        }
    }


def test_the_hint_follows_the_message():
    error = ModelNotFound("No such model.", hint="ollama pull qwen3:8b")
    assert error_envelope(error)["error"]["message"] == "No such model.\nollama pull qwen3:8b"
    assert error_envelope(error)["error"]["code"] == "model_not_found"


def test_an_error_event_is_one_event_that_holds_the_envelope():
    event = sse.parse(error_event(LlamaFarmError("It broke.")))
    assert event is not None
    assert json.loads(event.data) == error_envelope(LlamaFarmError("It broke."))


@pytest.mark.parametrize(
    "body, found",
    [
        ({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}, ("m", "c", "p")),
        ({"error": {"message": "m", "type": "NotFoundError", "code": 404}}, ("m", "NotFoundError", None)),
        ({"error": {"message": "m", "type": None, "code": None, "param": None}}, ("m", None, None)),
        ({"error": {"message": "m", "type": "t", "code": "429"}}, ("m", "t", None)),
        ({"error": {"message": None, "reason": "r"}}, ('{"message": null, "reason": "r"}', None, None)),
        ({"error": {"message": "", "code": "c"}}, ('{"message": "", "code": "c"}', "c", None)),
        ({"error": {"message": ["a", "b"]}}, ('["a", "b"]', None, None)),
        ({"error": "Unauthorized"}, ("Unauthorized", None, None)),
        ({"detail": "Not Found"}, ("Not Found", None, None)),
        ({"error": "Forbidden", "message": "not from here"}, ("Forbidden: not from here", None, None)),
        ({"error": True, "message": "m"}, ("m", None, None)),
        ({"error": True}, ('{"error": true}', None, None)),
        ({"error": None, "detail": "d"}, ("d", None, None)),
        ({"detail": [{"msg": "field required"}]}, ('[{"msg": "field required"}]', None, None)),
        ({"object": "error", "message": {"detail": ["n is 3"]}}, ('{"detail": ["n is 3"]}', None, None)),
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], ("m", None, None)),
        ({"object": "error", "message": "m", "type": "t", "code": 40303}, ("m", "t", None)),
        ({"error": '{"error":{"message":"m","type":"t","code":400}}'}, ("m", "t", None)),
        ({"error": {"message": '{"error":{"message":"m"}}', "type": "t"}}, ("m", None, None)),
        ({"error": '{"error" is what it wrote'}, ('{"error" is what it wrote', None, None)),
        ({"choices": []}, None),
        ({"error": None}, None),
        ({"error": ""}, None),
        ({"error": False, "message": "all is well"}, None),
        ({"message": "all is well"}, None),
        ([{"id": "m"}], None),
        ([], None),
        ("error", None),
        (None, None),
    ],
)
def test_the_shapes_of_other_servers_are_read(body, found):
    assert read_error(body) == found
