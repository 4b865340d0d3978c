"""TensorFlow checkpoints read without TensorFlow: an index of names, and shards of raw numbers beside it."""

from bertsmith.encoder.tensorbundle.bundle import TensorBundle, Variable, is_bundle, prefixes

__all__ = ["TensorBundle", "Variable", "is_bundle", "prefixes"]
