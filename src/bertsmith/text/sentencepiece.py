"""SentencePiece unigram models (Kudo and Richardson 2018, arXiv 1808.06226) in the layouts of their families."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from bertsmith.text.definition import Definition, added_token, find_special
from bertsmith.text.hints import Hints
from bertsmith.text.spm_file import Pieces, read_model
from bertsmith.text.template import bert, roberta, write_template

Layout = Literal["albert", "xlm-roberta", "plain"]

_LAYOUT_OF_FILE: dict[str, Layout] = {"spiece.model": "albert", "sentencepiece.bpe.model": "xlm-roberta"}
_LAYOUT_OF_TYPE: dict[str, Layout] = {"albert": "albert", "xlm-roberta": "xlm-roberta"}
_LAYOUT_OF_CLASS: dict[str, Layout] = {"AlbertTokenizer": "albert", "XLMRobertaTokenizer": "xlm-roberta"}


def from_model(path: Path, hints: Hints) -> Definition:
    """A unigram tokenizer from a SentencePiece model, in the layout of its family.

    Raises:
        UserError: the file is damaged, of another kind, or lacks a special token.
    """
    layout = layout_of(path, hints)
    pieces = _in_layout(read_model(path), layout)
    names = tuple(piece for piece, _ in pieces.scores)
    special = find_special({name: number for number, name in enumerate(names)}, hints.special_names, where=str(path))
    template = roberta(special) if layout == "xlm-roberta" else bert(special)
    spaced = {"replacement": "▁", "prepend_scheme": "always"}
    backend = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(names[i], i) for i in sorted(special.ids() | pieces.control)],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(pieces, layout, hints)},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", **spaced, "split": True}],
        },
        "post_processor": write_template(template, names),
        "decoder": {"type": "Metaspace", **spaced, "split": True},
        "model": {"type": "Unigram", "unk_id": pieces.unk, "vocab": [list(score) for score in pieces.scores]},
    }
    return Definition(backend, names, special)


def layout_of(path: Path, hints: Hints) -> Layout:
    """Whose layout a .model has: the tokenizer's class decides, then the model's type, then the file's name."""
    return (
        _LAYOUT_OF_CLASS.get(hints.tokenizer_class or "")
        or _LAYOUT_OF_TYPE.get(hints.model_type or "")
        or _LAYOUT_OF_FILE.get(path.name, "plain")
    )


def _in_layout(pieces: Pieces, layout: Layout) -> Pieces:
    if layout == "xlm-roberta":
        return _fairseq(pieces)
    if layout == "albert":
        return replace(pieces, scores=[(piece, _albert_score(piece, score)) for piece, score in pieces.scores])
    return pieces


def _fairseq(pieces: Pieces) -> Pieces:
    """Ids as fairseq numbers them: its own four tokens, the pieces from the fourth on, and the mask."""
    front = [(name, 0.0) for name in ("<s>", "<pad>", "</s>", "<unk>")]
    return Pieces([*front, *pieces.scores[3:], ("<mask>", 0.0)], unk=3, control=frozenset(), charsmap=pieces.charsmap)


def _albert_score(piece: str, score: float) -> float:
    """ALBERT never ends a number with a comma inside one piece (Lan et al. 2020, authors' code)."""
    return score - 100 if len(piece) >= 2 and piece.endswith(",") and piece[-2].isdigit() else score


def _normalizers(pieces: Pieces, layout: Layout, hints: Hints) -> Sequence[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if layout == "albert":
        steps += [{"type": "Replace", "pattern": {"String": quotes}, "content": '"'} for quotes in ("``", "''")]
        if hints.flag("keep_accents") is not True:
            steps += [{"type": "NFKD"}, {"type": "StripAccents"}]
        if hints.flag("do_lower_case") is not False:
            steps.append({"type": "Lowercase"})
    if pieces.charsmap:
        steps.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(pieces.charsmap).decode()})
    return steps
