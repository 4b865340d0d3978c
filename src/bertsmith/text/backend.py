"""Texts -> tokens by the tokenizers library, with everything switched off that would change a text's length."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tokenizers

from bertsmith.errors import UserError
from bertsmith.text.definition import Definition, model_kind, token_table
from bertsmith.text.pieces import harmless_cuts
from bertsmith.text.tokenized import Tokenized


class Backend:
    """The tokenizers library, asked for tokens and offsets and nothing else.

    Truncation and padding that a tokenizer.json has switched on inside stay off. A special token
    written in a text, such as "[SEP]", is text: inside the backend the special tokens carry a name
    with a space in front, which no text reaches, since every scheme cuts at spaces first.
    """

    def __init__(self, definition: Definition, *, where: str) -> None:
        self.cut = harmless_cuts(definition)
        self._wordpiece = definition.kind == "WordPiece"
        try:
            self.tokenizer = tokenizers.Tokenizer.from_str(json.dumps(_closed(definition)))
        except Exception as error:  # the library raises bare Exceptions
            raise UserError(f"{where}: not a usable tokenizer: {error}", code="bad_tokenizer", where=where) from error
        self.tokenizer.encode_special_tokens = True

    def __call__(self, texts: Sequence[str]) -> list[Tokenized]:
        """Tokenize texts of moderate length."""
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._tokenized(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def _tokenized(self, text: str, encoding: Any) -> Tokenized:
        offsets = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
        if not self._wordpiece:
            _trim(text, offsets)
        return Tokenized(np.array(encoding.ids, dtype=np.int32), offsets)


def _trim(text: str, offsets: np.ndarray) -> None:
    """Leave the white space in front of a word out of its token, unless the token is white space."""
    for row, (start, end) in enumerate(offsets.tolist()):
        if start < end and (text[start].isspace() or text[end - 1].isspace()):
            inner = text[start:end].strip()
            if inner:
                first = text.index(inner, start)
                offsets[row] = first, first + len(inner)


def _closed(definition: Definition) -> dict[str, Any]:
    """The tokenizer.json to run: no truncation, padding or template, special tokens out of reach of texts."""
    backend = {**definition.backend, "truncation": None, "padding": None, "post_processor": None}
    hidden = {definition.names[number]: f" {definition.names[number]}" for number in definition.special_ids}
    added = [
        {**token, "content": hidden.get(token["content"], token["content"])}
        for token in backend.get("added_tokens") or ()
    ]
    return {**backend, "added_tokens": added, "model": _hiding(backend, hidden)}


def _hiding(backend: Mapping[str, Any], hidden: Mapping[str, str]) -> dict[str, Any]:
    model = dict(backend["model"])
    model["type"] = model_kind(backend)
    if isinstance(model["vocab"], list):
        model["vocab"] = [[hidden.get(token, token), score] for token, score in model["vocab"]]
    else:
        model["vocab"] = {hidden.get(token, token): number for token, number in token_table(backend).items()}
    if model.get("unk_token") is not None:
        model["unk_token"] = hidden.get(model["unk_token"], model["unk_token"])
    return model
