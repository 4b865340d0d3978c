"""A small encoder with random weights and its tokenizer, in a folder; texts to make vectors of."""

from pathlib import Path

from bertsmith.encoder import EncoderConfig, new_encoder, save_checkpoint
from bertsmith.features import Pooler
from bertsmith.text import train_vocabulary

TEXTS = (
    "a man is walking slowly",
    "the woman reads a book",
    "people talk about the old town",
    "今天天气很好",
    "今天的天气真不错",
    "how do i change my password",
    "a story",
    "the man and the woman walk and talk and walk about the town all day",
)
ODD = ("", "😀🎉", "   ", "walk " * 300)
"""A blank text, one of emoji, one of spaces, one too long."""


def write_encoder(folder: Path, *, layers: int = 3, width: int = 24, pooler: bool = True, seed: int = 0) -> Path:
    """config.json, model.safetensors and a tokenizer; big weights, so that layers and tokens differ."""
    tokenizer = train_vocabulary(TEXTS * 3, size=200)
    config = EncoderConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=width,
        num_layers=layers,
        num_heads=2,
        intermediate_size=2 * width,
        initializer_range=0.2,
    )
    tokenizer.save(folder)
    heads = {"pooler": Pooler(width).dense.state_dict()} if pooler else {}
    save_checkpoint(folder, new_encoder(config, seed=seed), family="bert", heads=heads)
    return folder
