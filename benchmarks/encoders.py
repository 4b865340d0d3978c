"""One encoder timed, ours or transformers' BertModel of the same shape."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import BertConfig, BertModel

from bertsmith.batch import Example, pack
from bertsmith.data import BatchPlan, plan_batches, plan_inference
from bertsmith.encoder import EncoderConfig, new_encoder
from speed import VOCABULARY, Load, Precision

SHAPE = {"num_layers": 6, "hidden_size": 384, "num_heads": 12, "intermediate_size": 1536}


def encoding(system: str, precision: Precision, load: Load, rounds: int) -> float:
    """Tokens a second without gradients."""
    texts = load.texts
    model = made(system).eval()
    if system == "bertsmith":
        batches = [[texts[row] for row in rows] for rows in plan_inference(lengths_of(texts), 8192)]
    else:
        ordered = sorted(texts, key=len)
        batches = [ordered[start : start + 64] for start in range(0, len(ordered), 64)]

    def once() -> None:
        with torch.inference_mode(), autocast(precision):
            for batch in batches:
                last_states(system, model, batch)

    return rate_of(once, texts, rounds)


def training(system: str, precision: Precision, load: Load, rounds: int) -> float:
    """Tokens a second with dropout, backward pass and update."""
    texts = load.texts
    model = made(system).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    batches = [[texts[row] for row in rows] for rows in plan_batches(lengths_of(texts), BatchPlan(), seed=0, epoch=0)]

    def once() -> None:
        for batch in batches:
            with autocast(precision):
                loss = last_states(system, model, batch).float().square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return rate_of(once, texts, rounds)


def made(system: str) -> nn.Module:
    """The encoder, or its twin."""
    if system == "bertsmith":
        return new_encoder(EncoderConfig(vocab_size=VOCABULARY, **SHAPE), seed=0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        num_hidden_layers=SHAPE["num_layers"],
        hidden_size=SHAPE["hidden_size"],
        num_attention_heads=SHAPE["num_heads"],
        intermediate_size=SHAPE["intermediate_size"],
    )
    return BertModel(config, add_pooling_layer=False)


def last_states(system: str, model: nn.Module, batch: Sequence[np.ndarray]) -> Tensor:
    """Hidden states of the last layer, packed or padded."""
    if system == "bertsmith":
        states: Tensor = model(pack([Example(ids, np.zeros_like(ids)) for ids in batch])).last
        return states
    ids = pad_sequence([torch.from_numpy(text) for text in batch], batch_first=True)
    padded: Tensor = model(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
    return padded


def rate_of(work: Callable[[], None], texts: Sequence[np.ndarray], rounds: int) -> float:
    """Tokens a second of the median round, after one round to warm up."""
    work()
    return float(lengths_of(texts).sum()) / statistics.median(islice(timed(work), rounds))


def timed(work: Callable[[], None]) -> Iterator[float]:
    """Seconds of one round after the other."""
    while True:
        began = time.perf_counter()
        work()
        yield time.perf_counter() - began


def lengths_of(texts: Sequence[np.ndarray]) -> np.ndarray:
    """How long each text is."""
    return np.array([len(text) for text in texts])


def autocast(precision: Precision) -> torch.autocast:
    """Matrix products in this precision."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16")
