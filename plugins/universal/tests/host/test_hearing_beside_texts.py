"""A recording is written down, or a text is spoken, in the process in which a text is written: all advance in turn."""

from __future__ import annotations

from audio_models import make_bark, make_ctc, noise, wav_of
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.messages import Blob, Finished, LoadSettings, ModelRef, Piece, Speak, Transcribe
from tiny_models import make_word_tokenizer


def test_a_text_goes_on_beside_what_is_heard_and_what_is_spoken(start_host, models_folder, llama_folder, tmp_path):
    ears = ModelRef(str(make_ctc(models_folder / "ears")), LoadSettings(dtype="fp32"))
    voice = ModelRef(str(make_bark(models_folder / "voice", make_word_tokenizer())), LoadSettings(dtype="fp32"))
    writer = ModelRef(str(llama_folder), LoadSettings(dtype="fp32"))
    sound = wav_of(noise(80))
    hear = Transcribe(Blob("audio/wav", len(sound), sound), SpoolFolder(tmp_path, 2**30, 2**30))
    with start_host() as host:
        assert host.need(writer) is None
        for ref, work in ((ears, hear), (voice, Speak(("the lazy dog",) * 8))):
            long = host.start_work(ref, work)
            while not isinstance(host.next(), Piece | Finished):
                pass
            text = host.start(writer, "hello", max_tokens=3, temperature=0, ignore_eos=True)
            events = host.drain_until(text)
            assert [event for event in events if isinstance(event, Piece) and event.request_id == text]
            assert len([event for event in events if event.request_id == long and event.is_last]) < work.answers
            assert isinstance(host.answer(long).last, Finished)
