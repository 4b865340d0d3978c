"""Writing on from what was read gives the states of reading the whole again."""

import numpy as np
import pytest
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import Encoder, EncoderConfig, PrefixLM, Rotary, new_encoder
from bertsmith.encoder.continuing import Continuation
from bertsmith.errors import UserError

SIZES = {"vocab_size": 50, "hidden_size": 24, "num_layers": 3, "num_heads": 3, "intermediate_size": 40}
KINDS = {
    "plain": {},
    "factorised": {"embedding_size": 10},
    "shared": {"distinct_layers": 1, "embedding_size": 10},
    "rotary": {"position": Rotary()},
    "rotated values": {"position": Rotary(rotate_values=True)},
}


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    made = new_encoder(
        EncoderConfig.model_validate({**SIZES, "initializer_range": 0.3, **KINDS[request.param]}), seed=1
    )
    return made.eval()


def ids(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 50, length).astype(np.int32)


def whole(encoder: Encoder, source: np.ndarray, target: list[int]) -> torch.Tensor:
    """The state of the last token, from the whole text under the prefix mask."""
    segments = np.repeat([0, 1], [len(source), len(target)]).astype(np.int32)
    example = Example(np.concatenate([source, target]).astype(np.int32), segments)
    with torch.inference_mode():
        return encoder(pack([example]), PrefixLM())[-1][-1]


def sources(*lengths: int) -> list[np.ndarray]:
    return [ids(length, seed) for seed, length in enumerate(lengths)]


def begun(encoder: Encoder, texts: list[np.ndarray], capacity: int = 8) -> Continuation:
    examples = [Example(text, np.zeros(len(text), dtype=np.int32)) for text in texts]
    return Continuation(encoder, pack(examples), capacity=capacity)


def close(left: torch.Tensor, right: torch.Tensor) -> None:
    torch.testing.assert_close(left, right, atol=2e-5, rtol=1e-4)


def test_states_of_sources_are_those_of_reading_them(encoder):
    texts = sources(3, 5, 5, 9)
    states = begun(encoder, texts).states
    for text, state in zip(texts, states, strict=True):
        close(state, whole(encoder, text, []))


def test_token_by_token_equals_the_whole_text(encoder):
    texts = sources(3, 5, 5, 9)
    going = begun(encoder, texts)
    targets: list[list[int]] = [[] for _ in texts]
    for step in range(5):
        tokens = ids(4, 100 + step)
        states = going.advance(torch.from_numpy(tokens).long()[:, None])
        for row, token in enumerate(tokens):
            targets[row].append(int(token))
            close(states[row], whole(encoder, texts[row], targets[row]))


def test_rows_branch_and_leave(encoder):
    texts = sources(2, 4, 4, 7)
    going = begun(encoder, texts)
    owners = np.array([0, 1, 2, 3])
    targets: list[list[int]] = [[] for _ in texts]
    plans = [[0, 1, 1, 1, 2, 3, 3], [0, 2, 3, 4, 5, 6], [1, 1, 2, 4, 5], [3, 4], [0, 0]]
    for step, rows in enumerate(plans):
        chosen = np.array(rows)
        going.select(chosen)
        owners, targets = owners[chosen], [list(targets[row]) for row in rows]
        assert going.rows == len(rows)
        tokens = ids(len(rows), 7 * step)
        states = going.advance(torch.from_numpy(tokens).long()[:, None])
        for row, token in enumerate(tokens):
            targets[row].append(int(token))
            close(states[row], whole(encoder, texts[owners[row]], targets[row]))


def test_what_is_only_asked_leaves_no_trace(encoder):
    texts = sources(3, 6)
    going = begun(encoder, texts)
    mask = 7
    asked = going.advance(torch.full((2, 1), mask), keep=0)
    for row, text in enumerate(texts):
        close(asked[row], whole(encoder, text, [mask]))
    targets: list[list[int]] = [[], []]
    for step in range(4):
        tokens = ids(2, step)
        going.select(np.array([0, 1]))
        asked = going.advance(torch.tensor([[int(token), mask] for token in tokens]), keep=1)
        for row, token in enumerate(tokens):
            targets[row].append(int(token))
            close(asked[row], whole(encoder, texts[row], [*targets[row], mask]))


def test_double_precision_agrees_to_the_last_digits():
    encoder = new_encoder(EncoderConfig.model_validate({**SIZES, "initializer_range": 0.3}), seed=1).eval().double()
    text = ids(6, 3)
    going = begun(encoder, [text])
    states = going.advance(
        torch.tensor(
            [
                [4],
            ]
        )
    )
    states = going.advance(
        torch.tensor(
            [
                [9],
            ]
        )
    )
    torch.testing.assert_close(states[0], whole(encoder, text, [4, 9]), atol=1e-12, rtol=1e-12)


def test_refusals():
    encoder = new_encoder(EncoderConfig.model_validate({**SIZES, "position": {"max_positions": 8}}), seed=1)
    with pytest.raises(ValueError, match="eval"):
        begun(encoder, sources(3))
    encoder.eval()
    with pytest.raises(ValueError, match="ascending"):
        begun(encoder, sources(5, 3))
    going = begun(encoder, sources(4, 7))
    with pytest.raises(ValueError, match="order of their sources"):
        going.select(np.array([1, 0]))
    going.advance(torch.ones(2, 1, dtype=torch.long))
    with pytest.raises(UserError, match="8 positions"):
        going.advance(torch.ones(2, 1, dtype=torch.long))
