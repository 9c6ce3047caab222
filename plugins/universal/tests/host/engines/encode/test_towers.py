"""Pictures and texts in one space: CLIP and its kin give what the plain library gives, alone and beside each other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.engine import Blob, Embed, RequestFailed, SpoolFolder, decoder_of
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages.blob import MAX_INLINE_BYTES
from numpy.typing import NDArray
from pictures import noise
from PIL import Image
from tiny_models import make_bert, make_towers

FAMILIES = ["CLIP", "Siglip", "Siglip2"]
TEXTS = ("hello world", "the quick brown fox jumps over the lazy dog", "ada")


@pytest.fixture(scope="session")
def towers(models_folder: Path, word_tokenizer: Any) -> dict[str, Path]:
    """The folder of a model of each family."""
    return {family: make_towers(models_folder / f"towers-{family}", word_tokenizer, family) for family in FAMILIES}


@pytest.fixture(scope="session")
def loaded(towers: dict[str, Path], encoding: Callable[..., Any]) -> dict[str, Any]:
    """An engine for each; the steps are so short that a request takes several."""
    return {family: encoding(folder, batch=32) for family, folder in towers.items()}


@pytest.fixture(scope="module", autouse=True)
def decoders() -> Iterator[None]:
    """The processes that decode, which end with the tests that need them."""
    yield
    decoder_of(MediaSettings()).close()
    decoder_of.cache_clear()


def blob(path: Path, kind: str = "PNG", image: Image.Image | None = None) -> Blob:
    """A picture as it comes from the server: in a file where it is large."""
    (image or noise(0)).save(path, kind)
    size = path.stat().st_size
    data = path.read_bytes() if size <= MAX_INLINE_BYTES else None
    return Blob("image/x", size, data=data, path=path if data is None else None)


def vectors(value: tuple[bytes, ...]) -> list[NDArray[np.float32]]:
    return [np.frombuffer(data, "<f4") for data in value]


class Library:
    """transformers, as its documents use it."""

    def __init__(self, folder: Path) -> None:
        import transformers

        self.model = transformers.AutoModel.from_pretrained(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.processor = transformers.AutoImageProcessor.from_pretrained(folder)
        self.padded = transformers.AutoConfig.from_pretrained(folder).model_type.startswith("siglip")

    def text(self, text: str) -> NDArray[np.float32]:
        whole = {"padding": "max_length", "max_length": 64, "return_attention_mask": False} if self.padded else {}
        given = self.tokenizer(text, return_tensors="pt", return_token_type_ids=False, **whole)
        return self._vector(self.model.get_text_features, given)

    def picture(self, image: Image.Image) -> NDArray[np.float32]:
        return self._vector(self.model.get_image_features, self.processor(images=image, return_tensors="pt"))

    def _vector(self, features: Callable[..., Any], given: Any) -> NDArray[np.float32]:
        import torch

        with torch.no_grad():
            vector = features(**given).pooler_output[0].numpy()
        normalized: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return normalized


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_and_pictures_have_the_vectors_of_the_library(
    towers: dict[str, Path], loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, family: str
) -> None:
    library, model = Library(towers[family]), loaded[family]
    shapes = [(20, 30), (64, 16), (16, 16), (5, 5), (400, 300), (16, 40), (33, 31)]
    images = [noise(number, *shape) for number, shape in enumerate(shapes)]
    pictures = [blob(tmp_path / f"{number}.png", image=image) for number, image in enumerate(images)]
    assert any(picture.path for picture in pictures)
    wanted = [library.picture(image) for image in images]
    [alone] = model.values(Embed((pictures[0],), folder=folder))
    mixed, others = model.values(
        Embed((TEXTS[0], *pictures, *TEXTS[1:], (7, 8)), folder=folder), Embed((*TEXTS, pictures[2]), folder=folder)
    )
    texts = [library.text(text) for text in TEXTS]
    assert np.allclose(vectors(alone), wanted[:1], atol=1e-5)
    assert np.allclose(vectors(mixed)[:-1], [texts[0], *wanted, *texts[1:]], atol=1e-5)
    assert np.allclose(vectors(others), [*texts, wanted[2]], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_alone_have_the_vectors_of_the_library(
    towers: dict[str, Path], loaded: dict[str, Any], family: str
) -> None:
    library = Library(towers[family])
    [alone], [mixed] = loaded[family].values(Embed(TEXTS[:1])), loaded[family].values(Embed(TEXTS))
    wanted = [library.text(text) for text in TEXTS]
    assert np.allclose([*vectors(alone), *vectors(mixed)], [wanted[0], *wanted], atol=1e-5)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_every_format_is_read(
    towers: dict[str, Path], loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "picture"
    [[vector]] = loaded["CLIP"].values(Embed((blob(path, kind),), folder=folder))
    with Image.open(path) as image:
        wanted = Library(towers["CLIP"]).picture(image.convert("RGB"))
    assert np.allclose(vectors((vector,)), [wanted], atol=1e-5)


def test_a_model_says_that_it_reads_pictures_and_how_long_its_vectors_are(loaded: dict[str, Any]) -> None:
    model = loaded["CLIP"].engine.model
    assert (model.features, model.dimensions) == ({"embeddings", "rerank", "vision", "vision/zero-shot"}, 32)


def test_equal_pictures_are_processed_and_read_once(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same, other = blob(tmp_path / "same.png"), blob(tmp_path / "other.png", image=noise(1))
    engine, read = loaded["CLIP"].engine, []
    encode = engine._encoder.encode

    def counted(rows: Any) -> Any:
        read.extend(rows)
        return encode(rows)

    monkeypatch.setattr(engine._encoder, "encode", counted)
    [value] = loaded["CLIP"].values(Embed((same, other, same, same), folder=folder))
    assert len(read) == 2
    assert value[0] == value[2] == value[3] != value[1]


def test_a_picture_counts_as_its_patches_and_only_rows_of_one_kind_are_read_together(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 x 16 pixels in patches of 8 are 4; a step of 32 takes eight pictures."""
    pictures = [blob(tmp_path / f"{number}.png", image=noise(number)) for number in range(10)]
    engine, steps = loaded["CLIP"].engine, []
    encode = engine._encoder.encode

    def noted(rows: Any) -> Any:
        steps.append(["text" if row.pixels is None else "picture" for row in rows])
        return encode(rows)

    monkeypatch.setattr(engine._encoder, "encode", noted)
    prepared = engine.prepare(Embed(("ada", *pictures), folder=folder))
    assert prepared.tokens == len(prepared.distinct[0]) + 40
    loaded["CLIP"].values(Embed(("ada", *pictures), folder=folder))
    assert sorted(steps) == [["picture"] * 2, ["picture"] * 8, ["text"]]


def test_what_a_picture_became_lies_in_its_folder_until_it_is_read_and_nothing_else_does(
    towers: dict[str, Path], encoding: Callable[..., Any], folder: SpoolFolder, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("llamafarm_universal.media.folder.MAX_INLINE_BYTES", 100)
    model = encoding(towers["CLIP"])
    prepared = model.engine.prepare(Embed((blob(tmp_path / "large.png", image=noise(0, 500, 400)),), folder=folder))
    [file] = folder.path.iterdir()
    [row] = prepared.distinct
    assert row.pixels.arrays["pixel_values"].blob.path == file
    assert file.stat().st_size == 16 * 16 * 3 * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no picture", "Input 1: The file is no picture"),
        (b"", "Input 1: The picture is empty"),
        (b"\x89PNG\r\n\x1a\n and no more", "Input 1: The picture is broken"),
    ],
)
def test_what_cannot_be_decoded_is_refused_by_its_number(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, content: bytes, message: str
) -> None:
    inputs = (blob(tmp_path / "good.png"), Blob("image/png", len(content), data=content))
    with pytest.raises(RequestFailed, match=message) as failed:
        loaded["CLIP"].engine.prepare(Embed(inputs, folder=folder))
    assert (failed.value.param, failed.value.kind) == ("input", "invalid_request")


def test_a_strip_is_refused_whose_short_side_would_become_a_huge_picture(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path
) -> None:
    strip = blob(tmp_path / "strip.png", image=Image.new("RGB", (20_000, 1)))
    with pytest.raises(RequestFailed, match="20,000 x 1 pixels: one side is more than 200 times the other"):
        loaded["CLIP"].engine.prepare(Embed((strip,), folder=folder))


def test_pictures_that_take_too_long_together_are_refused(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 1.0, 31.0])
    monkeypatch.setattr("llamafarm_universal.host.engines.encode.pictures.monotonic", lambda: next(times))
    pictures = tuple(blob(tmp_path / f"{number}.png", image=noise(number)) for number in range(2))
    with pytest.raises(RequestFailed, match="longer to decode than the 30 seconds"):
        loaded["CLIP"].engine.prepare(Embed(pictures, folder=folder))


def test_a_picture_for_a_model_that_reads_texts_is_refused(
    models_folder: Path, encoding: Callable[..., Any], word_tokenizer: Any, folder: SpoolFolder, tmp_path: Path
) -> None:
    bert = encoding(make_bert(models_folder / "reads-texts", word_tokenizer, "MaskedLM"))
    with pytest.raises(RequestFailed, match="Input 1 is a picture; this model reads texts only") as failed:
        bert.engine.prepare(Embed(("ada", blob(tmp_path / "picture.png")), folder=folder))
    assert "CLIP" in failed.value.hint


def test_a_text_that_is_wrong_is_called_by_its_place_among_all_inputs(
    loaded: dict[str, Any], folder: SpoolFolder, tmp_path: Path
) -> None:
    with pytest.raises(RequestFailed, match="Input 2 has 102 tokens; the model can take 64"):
        loaded["CLIP"].engine.prepare(Embed((blob(tmp_path / "a.png"), (7,), "ada " * 100), folder=folder))


def test_the_layout_of_sentence_transformers_is_read_too(
    towers: dict[str, Path], loaded: dict[str, Any], encoding: Callable[..., Any], folder: SpoolFolder, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CLIPModel

    library = SentenceTransformer(modules=[CLIPModel(str(towers["CLIP"]))], device="cpu")
    library.save(str(tmp_path / "layout"))
    picture = blob(tmp_path / "picture.png")
    model = encoding(tmp_path / "layout")
    [value] = model.values(Embed((TEXTS[0], picture), folder=folder))
    wanted = [library.encode(each, normalize_embeddings=True) for each in (TEXTS[0], noise(0))]
    assert np.allclose(vectors(value), wanted, atol=1e-5)


def test_a_model_without_an_image_processor_reads_texts(
    towers: dict[str, Path], encoding: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(towers["CLIP"], tmp_path / "copy")
    (copy / "preprocessor_config.json").unlink()
    model = encoding(copy)
    assert "vision" not in model.engine.model.features
    assert "its pictures cannot be read here" in caplog.text
    [value] = model.values(Embed(TEXTS))
    assert len(value) == 3
