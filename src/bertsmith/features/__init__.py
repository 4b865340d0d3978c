"""Hidden states -> vectors: which layers × how the tokens of a text become one vector."""

from bertsmith.features.features import NAMED_FEATURES, Features, FeatureVectors
from bertsmith.features.joining import Join, Joiner
from bertsmith.features.layers import Average, Concat, Largest, Layers, Mix, One, ScalarMix
from bertsmith.features.pooling import Pooler, Pooling, first_tokens, max_tokens, mean_tokens

__all__ = [
    "NAMED_FEATURES",
    "Average",
    "Concat",
    "FeatureVectors",
    "Features",
    "Join",
    "Joiner",
    "Largest",
    "Layers",
    "Mix",
    "One",
    "Pooler",
    "Pooling",
    "ScalarMix",
    "first_tokens",
    "max_tokens",
    "mean_tokens",
]
