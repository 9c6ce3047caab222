"""A picture that is drawn in the process in which a text is written: both advance in turn."""

from __future__ import annotations

from diffusion_models import make_sd3
from llamafarm_universal.messages import DrawImage, Drawing, Finished, LoadSettings, ModelRef, Piece, Progress


def test_a_text_goes_on_between_two_steps_of_a_picture(start_host, models_folder, llama_folder):
    folder = models_folder / "beside"
    painter = ModelRef(str(make_sd3(folder)), LoadSettings(dtype="fp32"))
    writer = ModelRef(str(llama_folder), LoadSettings(dtype="fp32"))
    with start_host() as host:
        assert host.need(writer) is None
        picture = host.start_work(painter, DrawImage("a fox", drawing=Drawing(steps=40, width=32, height=32)))
        while not isinstance(host.next(), Progress):
            pass
        text = host.start(writer, "hello", max_tokens=12, temperature=0, ignore_eos=True)
        events = host.drain_until(text)
        steps = [event for event in events if isinstance(event, Progress)]
        pieces = [event for event in events if isinstance(event, Piece)]
        assert not [event for event in events if isinstance(event, Finished) and event.request_id == picture]
        assert pieces
        assert steps
        assert isinstance(host.answer(picture).last, Finished)
