"""Where the special tokens go around one text or a pair."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from bertsmith.batch.example import Example
from bertsmith.config import Config
from bertsmith.text.tokenized import SpecialTokens


class Slot(NamedTuple):
    """One place of a template: a special token, or one of the texts; and its segment."""

    content: int | Literal["first", "second"]
    segment: int = 0


class Template(Config):
    """How a family joins texts: BERT `[CLS] a [SEP] b [SEP]` with segments, RoBERTa `<s> a </s></s> b </s>` without."""

    single: tuple[Slot, ...]
    pair: tuple[Slot, ...]

    @property
    def before(self) -> int:
        """How many special tokens stand before a single text."""
        return next(number for number, slot in enumerate(self.single) if slot.content == "first")

    def overhead(self, *, pair: bool) -> int:
        """How many special tokens are added."""
        return sum(isinstance(slot.content, int) for slot in (self.pair if pair else self.single))

    def assemble(self, first: np.ndarray, second: np.ndarray | None = None) -> Example:
        """Put the special tokens around one text or a pair of texts."""
        texts = {"first": first, "second": second}
        parts, segments = [], []
        for content, segment in self.single if second is None else self.pair:
            part = np.array([content]) if isinstance(content, int) else texts[content]
            assert part is not None
            parts.append(part)
            segments.append(np.full(len(part), segment, dtype=np.int32))
        return Example(np.concatenate(parts).astype(np.int32), np.concatenate(segments))


def bert(special: SpecialTokens) -> Template:
    """`[CLS] a [SEP]` and `[CLS] a [SEP] b [SEP]`, the second text in segment 1 (Devlin et al. 2019 §3)."""
    single = (Slot(special.cls), Slot("first"), Slot(special.sep))
    return Template(single=single, pair=(*single, Slot("second", 1), Slot(special.sep, 1)))


def roberta(special: SpecialTokens) -> Template:
    """`<s> a </s>` and `<s> a </s></s> b </s>`, one segment (Liu et al. 2019, arXiv 1907.11692)."""
    single = (Slot(special.cls), Slot("first"), Slot(special.sep))
    return Template(single=single, pair=(*single, Slot(special.sep), Slot("second"), Slot(special.sep)))


def read_template(backend: Mapping[str, Any], special: SpecialTokens) -> Template:
    """The template of a tokenizer.json; without one, that of BERT."""
    for processor in _processors(backend.get("post_processor")):
        match processor["type"]:
            case "TemplateProcessing":
                return Template(single=_slots(processor, "single"), pair=_slots(processor, "pair"))
            case "RobertaProcessing":
                return roberta(special.but(cls=processor["cls"][1], sep=processor["sep"][1]))
            case "BertProcessing":
                return bert(special.but(cls=processor["cls"][1], sep=processor["sep"][1]))
    return bert(special)


def write_template(template: Template, names: tuple[str, ...]) -> dict[str, Any]:
    """The template in the spelling of tokenizer.json."""
    used = sorted({slot.content for slot in template.pair + template.single if isinstance(slot.content, int)})
    return {
        "type": "TemplateProcessing",
        "single": [_written(slot, names) for slot in template.single],
        "pair": [_written(slot, names) for slot in template.pair],
        "special_tokens": {names[i]: {"id": names[i], "ids": [i], "tokens": [names[i]]} for i in used},
    }


def _written(slot: Slot, names: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(slot.content, int):
        return {"SpecialToken": {"id": names[slot.content], "type_id": slot.segment}}
    return {"Sequence": {"id": "A" if slot.content == "first" else "B", "type_id": slot.segment}}


def _processors(processor: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if processor is None:
        return []
    if processor["type"] == "Sequence":
        return [part for inner in processor["processors"] for part in _processors(inner)]
    return [processor]


def _slots(processor: Mapping[str, Any], form: str) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for piece in processor[form]:
        if "Sequence" in piece:
            place: Literal["first", "second"] = "first" if piece["Sequence"]["id"] == "A" else "second"
            slots.append(Slot(place, piece["Sequence"]["type_id"]))
        else:
            name, segment = piece["SpecialToken"]["id"], piece["SpecialToken"]["type_id"]
            slots += [Slot(number, segment) for number in processor["special_tokens"][name]["ids"]]
    return tuple(slots)
