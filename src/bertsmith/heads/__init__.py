"""Vectors -> scores."""

from typing import Annotated

from pydantic import Field

from bertsmith.heads.base import Head, HeadConfig
from bertsmith.heads.bilstm import BiLstm, BiLstmHead
from bertsmith.heads.linear import Linear, LinearHead
from bertsmith.heads.mlp import Mlp, MlpHead
from bertsmith.heads.multi_sample import MultiSample, MultiSampleHead
from bertsmith.heads.relation import RelationHead
from bertsmith.heads.replaced_token import ReplacedTokenHead
from bertsmith.heads.span_boundary import SpanBoundaryHead
from bertsmith.heads.text_cnn import TextCnn, TextCnnHead
from bertsmith.heads.vocabulary import VocabularyHead

AnyHead = Annotated[Linear | Mlp | BiLstm | TextCnn | MultiSample, Field(discriminator="kind")]
"""What may stand on the encoder in a task."""

__all__ = [
    "AnyHead",
    "BiLstm",
    "BiLstmHead",
    "Head",
    "HeadConfig",
    "Linear",
    "LinearHead",
    "Mlp",
    "MlpHead",
    "MultiSample",
    "MultiSampleHead",
    "RelationHead",
    "ReplacedTokenHead",
    "SpanBoundaryHead",
    "TextCnn",
    "TextCnnHead",
    "VocabularyHead",
]
