"""The architectures whose files can be read and written. Being listed here is the registration."""

from typing import Any

from bertsmith.encoder.config import EncoderConfig, Rotary
from bertsmith.encoder.families.albert import ALBERT
from bertsmith.encoder.families.bert import BERT
from bertsmith.encoder.families.electra import ELECTRA
from bertsmith.encoder.families.ernie import ERNIE
from bertsmith.encoder.families.roberta import ROBERTA
from bertsmith.encoder.families.roformer import ROFORMER
from bertsmith.encoder.naming import Family
from bertsmith.errors import UserError

FAMILIES: tuple[Family, ...] = (BERT, ROBERTA, ALBERT, ELECTRA, ERNIE, ROFORMER)


def family_of(model_type: Any, *, where: str | None = None) -> Family:
    """Find the family a `model_type` of config.json belongs to.

    Raises:
        UserError: no family has this model type.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.model_types)
    raise UserError(
        f"{where or 'config.json'}: model_type {model_type!r} is not known; known: {known}",
        code="unknown_model_type",
        where=where,
    )


def plainest_family(config: EncoderConfig) -> str:
    """The model type with the most readers among those that can spell this encoder."""
    if isinstance(config.position, Rotary):
        return "roformer"
    if config.distinct_layers is not None and config.embedding_size is not None and config.share == "all":
        return "albert"
    return "electra" if config.embedding_size is not None else "bert"


__all__ = ["ALBERT", "BERT", "ELECTRA", "ERNIE", "FAMILIES", "ROBERTA", "ROFORMER", "family_of", "plainest_family"]
