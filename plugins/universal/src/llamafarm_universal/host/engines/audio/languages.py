"""Models of CTC that know many languages, with a small adapter for each: those of MMS."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from llamafarm_universal.engine import LoadPlan, RequestFailed, refused
from llamafarm_universal.sound_kind import ADAPTERS

_MOST_LISTED = 12
_ISO_639 = """
af:afr am:amh ar:ara,arb as:asm az:azj,aze ba:bak be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat cs:ces
cy:cym da:dan de:deu el:ell en:eng es:spa et:ekk,est eu:eus fa:fas,pes fi:fin fo:fao fr:fra gl:glg gu:guj
ha:hau haw:haw he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye,hyw id:ind is:isl it:ita ja:jpn jw:jav ka:kat kk:kaz
km:khm kn:kan ko:kor la:lat lb:ltz ln:lin lo:lao lt:lit lv:lav,lvs mg:mlg,plt mi:mri mk:mkd ml:mal mn:mon,khk
mr:mar ms:zlm,zsm,msa mt:mlt my:mya ne:npi,nep nl:nld nn:nno no:nob,nor oc:oci pa:pan pl:pol ps:pus,pbt pt:por
ro:ron ru:rus sa:san sd:snd si:sin sk:slk sl:slv sn:sna so:som sq:sqi,als sr:srp su:sun sv:swe sw:swh,swa
ta:tam te:tel tg:tgk th:tha tk:tuk tl:tgl,fil tr:tur tt:tat uk:ukr ur:urd uz:uzb,uzn vi:vie yi:yid,ydd yo:yor
zh:cmn,zho
"""
"""From a code of two letters to those of three, as ISO 639 has them; several where some models name a part of it."""


class Languages:
    """The languages of a model, one of which it is set to.

    names: those that there are adapters of, by ISO 639-3, with a script where a model tells that: `deu`,
    `azj-script_latin`. default: the one that it knows without one of them.
    """

    def __init__(self, plan: LoadPlan, module: Any, tokenizer: Any) -> None:
        self._plan = plan
        self._module = module
        self._files = adapter_files(plan.folder, tokenizer.vocab)
        known = [tokenizer.target_lang, "eng", *tokenizer.vocab]
        self.default: str = next(name for name in known if name in tokenizer.vocab)
        self.names: list[str] = sorted({*self._files, self.default})
        self._own = {name: parameter.data for name, parameter in self._parameters()}
        self._now = self.default
        self.tokenizer = lru_cache(maxsize=32)(partial(_tokenizer, plan.folder))

    def named(self, language: str) -> str:
        """The name that the model has for a language, from that, from ISO 639-1 or in English. Raises RequestFailed."""
        own = next((name for asked in _codes(language) for name in self.names if _is_called(name, asked)), None)
        if own is not None:
            return own
        some = ", ".join(self.names[:_MOST_LISTED]) + (", …" if len(self.names) > _MOST_LISTED else "")
        raise refused(f"The model does not know the language {language[:40]!r}.", "language", hint=f"It knows {some}.")

    def set(self, language: str) -> None:
        """Have the model hear a language. Raises RequestFailed where its adapter is broken; nothing is changed then."""
        if language == self._now:
            return
        tensors = self._own if language not in self._files else self._read(language)
        with torch.inference_mode(mode=False):
            for name, parameter in self._parameters():
                parameter.data = tensors[name].to(parameter.device, parameter.dtype)
        self._module.lm_head.out_features = len(tensors["lm_head.weight"])
        self._now = language

    def _read(self, language: str) -> Mapping[str, torch.Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors: Mapping[str, torch.Tensor] = load_file(self._files[language])
            for name, own in self._own.items():
                if tensors[name].shape[name.startswith("lm_head.") :] != own.shape[name.startswith("lm_head.") :]:
                    raise ValueError(name)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise RequestFailed(
                "load_failed",
                f"The adapter of `{self._plan.ref.id}` for the language `{language}` cannot be read.",
                hint=f"`{self._files[language].name}` is damaged, or belongs to another model.",
                param="language",
            ) from error
        return tensors

    def _parameters(self) -> Iterator[tuple[str, Any]]:
        """What is other in each language: the adapters' numbers, and the head's, which has the letters."""
        for name, parameter in self._module.named_parameters():
            if ".adapter_layer." in name or name.startswith("lm_head."):
                yield name, parameter


def has_nested_letters(tokenizer: Any) -> bool:
    """Whether a tokenizer has letters for each of several languages; one that was trained further may not."""
    letters = getattr(tokenizer, "vocab", {})
    return bool(letters) and all(isinstance(each, Mapping) for each in letters.values())


def adapter_files(folder: Path, vocabularies: Mapping[str, Any]) -> dict[str, Path]:
    """The adapter of each language whose letters a tokenizer has."""
    paths = {path.name.removeprefix("adapter.").removesuffix(".safetensors"): path for path in folder.glob(ADAPTERS)}
    return {language: path for language, path in paths.items() if language in vocabularies}


class Aside:
    """The layers that differ in each language, kept as they are while the others get a form that is computed faster."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._kept = {
            name: copy.deepcopy(layer)
            for name, layer in module.named_modules()
            if name == "lm_head" or name.endswith(".adapter_layer")
        }

    def put_back(self) -> None:
        for name, layer in self._kept.items():
            parent, _, own = name.rpartition(".")
            setattr(self._module.get_submodule(parent), own, layer)


def _tokenizer(folder: Path, language: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, target_lang=language, local_files_only=True)


def _codes(language: str) -> list[str]:
    """What a language may be called: as it was written, and the codes of ISO 639 for that."""
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    written = language.strip().lower()
    known = dict(pair.split(":") for pair in _ISO_639.split())
    return [written, *known.get(TO_LANGUAGE_CODE.get(written, written), "").split(",")]


def _is_called(name: str, asked: str) -> bool:
    return bool(asked) and (name.lower() == asked or name.startswith(f"{asked}-script"))
