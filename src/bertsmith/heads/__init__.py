"""Vectors -> scores."""

from bertsmith.heads.linear import Linear, LinearHead
from bertsmith.heads.relation import RelationHead
from bertsmith.heads.replaced_token import ReplacedTokenHead
from bertsmith.heads.span_boundary import SpanBoundaryHead
from bertsmith.heads.vocabulary import VocabularyHead

__all__ = ["Linear", "LinearHead", "RelationHead", "ReplacedTokenHead", "SpanBoundaryHead", "VocabularyHead"]
