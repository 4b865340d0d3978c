"""One encoder on packed tokens, and its files: examples to hidden states."""

from bertsmith.encoder.checkpoint import Checkpoint, LoadReport, load_checkpoint, read_config, save_checkpoint
from bertsmith.encoder.config import SHAPES, EncoderConfig, Learned, Rotary
from bertsmith.encoder.encoder import Activations, Encoder, FirstPositions, HiddenStates, new_encoder
from bertsmith.encoder.masks import AttentionMask, Bidirectional, Causal, Permutation, PrefixLM, RightToLeft
from bertsmith.encoder.paths import AttentionPath
from bertsmith.encoder.surgery import resize_tokens

__all__ = [
    "SHAPES",
    "Activations",
    "AttentionMask",
    "AttentionPath",
    "Bidirectional",
    "Causal",
    "Checkpoint",
    "Encoder",
    "EncoderConfig",
    "FirstPositions",
    "HiddenStates",
    "Learned",
    "LoadReport",
    "Permutation",
    "PrefixLM",
    "RightToLeft",
    "Rotary",
    "load_checkpoint",
    "new_encoder",
    "read_config",
    "resize_tokens",
    "save_checkpoint",
]
