"""Characters -> token ids: vocabularies, tokenizers, words."""

from bertsmith.text.definition import Level
from bertsmith.text.tokenized import SpecialTokens, Tokenized
from bertsmith.text.tokenizer import Tokenizer, unknown_share

__all__ = ["Level", "SpecialTokens", "Tokenized", "Tokenizer", "unknown_share"]
