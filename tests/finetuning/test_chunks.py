"""Long texts in chunks: no token lost unless counted, the same in company and alone, auto by the lengths."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.batch import Example
from bertsmith.finetuning import (
    Auto,
    Chunks,
    Classification,
    LabelledBatch,
    Pair,
    Reading,
    Regression,
    Truncate,
    Truncated,
    Windows,
    chosen_document,
    pack_readings,
    predict,
    prepare,
)
from bertsmith.finetuning.answers import AIMS
from bertsmith.finetuning.chunks import chunk_bounds
from bertsmith.text import Tokenizer, train_vocabulary

from .samples import examples, tuner

CPU = torch.device("cpu")


@given(tokens=st.integers(0, 300), room=st.integers(1, 40), overlap=st.integers(0, 40))
def test_chunks_are_few_even_and_leave_nothing_out(tokens, room, overlap):
    bounds = chunk_bounds(tokens, room, overlap)
    starts, ends = bounds.T
    assert starts[0] == 0
    assert ends[-1] == tokens
    sizes = ends - starts
    assert sizes.max() <= room
    assert sizes.max() == sizes.min()
    shared = ends[:-1] - starts[1:]
    assert (shared >= 0).all()
    asked = min(overlap, room // 2)
    fewest = max(1, -(-(tokens - asked) // (room - asked)))
    assert len(bounds) == fewest
    assert (shared >= asked - 1).all()


def test_k_is_length_over_510():
    for length, number in ((1, 1), (510, 1), (511, 2), (1020, 2), (1021, 3)):
        assert len(chunk_bounds(length, 510, 0)) == number
    assert chunk_bounds(1020, 510, 0).tolist() == [[0, 510], [510, 1020]]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(["one two three four five six seven"] * 3, size=200)


def test_each_chunk_is_a_sequence_of_its_own(tokenizer):
    text = "one two three four five six seven one"
    made = prepare([text, "two"], None, tokenizer, Chunks(), max_length=5)
    tokens = [[tokenizer.tokens(each.token_ids) for each in reading.sequences] for reading in made.readings]
    assert (
        tokens[0]
        == [
            ["[CLS]", "one", "two", "three", "[SEP]"],
            ["[CLS]", "three", "four", "five", "[SEP]"],
            ["[CLS]", "six", "seven", "one", "[SEP]"],
        ]
        or [part for chunk in tokens[0] for part in chunk[1:-1]] == text.split()
    )
    assert tokens[1] == [["[CLS]", "two", "[SEP]"]]
    assert made.truncated == Truncated()
    assert made.full_lengths.tolist() == [10, 3]


@given(length=st.integers(1, 60), room=st.integers(2, 9), overlap=st.integers(0, 9), most=st.integers(1, 5))
def test_what_lies_beyond_the_most_chunks_is_counted(tokenizer, length, room, overlap, most):
    document = Chunks(overlap=overlap, most_chunks=most)
    words = (["one", "two", "three", "four", "five", "six", "seven"] * 9)[:length]
    made = prepare([" ".join(words)], None, tokenizer, document, max_length=room + 2)
    (reading,) = made.readings
    assert len(reading.sequences) <= most
    bounds = chunk_bounds(length - made.truncated.tokens, room, overlap)
    assert [len(each) - 2 for each in reading.sequences] == (bounds[:, 1] - bounds[:, 0]).tolist()
    assert made.truncated.texts == (made.truncated.tokens > 0)
    if made.truncated.tokens:
        assert len(chunk_bounds(length, room, overlap)) > most


# The model.


def documents(sizes: list[list[int]], seed: int = 0) -> list[Reading]:
    return [Reading(tuple(examples(lengths, seed + number))) for number, lengths in enumerate(sizes)]


@pytest.mark.parametrize("join", ["mean", "max", "attention"])
def test_a_document_is_read_alike_alone_and_in_company(join):
    model = tuner(document={"kind": "chunks", "join": join}, features={"pooling": "mean"})
    texts = documents([[5, 5, 4], [3], [8, 8], [2]])
    together = predict(model, [texts], device=CPU).values
    for max_tokens in (1, 12, 30):
        assert_close(predict(model, [texts], device=CPU, max_tokens=max_tokens).values, together, atol=1e-6, rtol=0)


def test_a_text_of_one_chunk_is_read_as_without_chunks():
    texts = documents([[5], [9], [3]])
    one, other = tuner(document={"kind": "chunks", "join": "max"}), tuner()
    assert_close(predict(one, [texts], device=CPU).values, predict(other, [texts], device=CPU).values)


def test_a_batch_is_the_join_of_what_the_chunks_give():
    model = tuner(document={"kind": "chunks", "join": "mean"}).eval()
    texts = documents([[5, 4], [3, 7, 2]])
    vectors = []
    for reading in texts:
        single = pack_readings([Reading((each,)) for each in reading.sequences])
        states = model.encoder(single.sequences, keep_layers=(-1,))
        vectors.append(model.features(states, single.sequences).mean(0))
    assert_close(model.scores(pack_readings(texts)), model.head(torch.stack(vectors)))


def test_attention_learns_and_lies_above_the_encoder():
    model = tuner(document={"kind": "chunks", "join": "attention"})
    batch = LabelledBatch(pack_readings(documents([[5, 4], [3], [6, 6, 6]])), torch.tensor([0, 1, 2]))
    model(batch)["loss"].backward()
    names = [name for name, _ in model.named_parameters() if name.startswith("join.")]
    assert len(names) == 3
    assert all(model.depth_of(name) == 3 for name in names)
    assert model.join.query.weight.grad.abs().sum() > 0
    alone = LabelledBatch(pack_readings(documents([[5], [3]])), torch.tensor([0, 1]))
    model.zero_grad()
    model(alone)["loss"].backward()
    assert model.join.query.weight.grad is not None


def test_tokens_of_a_text_are_those_of_all_its_chunks():
    texts = pack_readings(documents([[5, 4], [3], [2, 2, 2]]))
    assert texts.tokens().lengths == (9, 3, 6)
    assert texts.num_texts == 3
    assert pack_readings(documents([[5], [3]])).tokens().lengths == (5, 3)
    assert texts.to("meta").chunks.cu_seqlens.device.type == "meta"


def test_places_count_from_the_start_of_their_sequence():
    sequences = tuple(Example(np.full(n, 5), np.zeros(n, dtype=np.int64)) for n in (4, 3, 5))
    one = Reading(sequences[:2], (np.array([1, 2]), np.array([0])))
    other = Reading(sequences[2:], (np.array([3]),))
    texts = pack_readings([one, other])
    assert texts.places.tolist() == [1, 2, 4, 10]
    assert texts.layout.lengths == (3, 1)


# Auto.


def lengths(short: int, long: int, size: int) -> np.ndarray:
    return np.array([100] * short + [size] * long)


@pytest.mark.parametrize(
    ("sizes", "expected", "said"),
    [
        (lengths(100, 0, 0), Truncate(), "no training text is longer than 512 tokens"),
        (lengths(1000, 1, 600), Truncate(), "too few to matter"),
        (lengths(87, 13, 900), Truncate(keep="head_tail"), "beginning and end are kept"),
        (lengths(10, 90, 3000), Chunks(), "more than is kept"),
    ],
)
def test_auto_goes_by_what_shortening_would_lose(sizes, expected, said):
    document, why = chosen_document(Auto(), Classification(), sizes, 512)
    assert document == expected
    assert said in why


def test_auto_says_how_much():
    _, why = chosen_document(Auto(), Classification(), lengths(87, 13, 900), 512)
    assert "13 of 100 training texts (13.0%) are longer than 512 tokens" in why
    assert f"would lose {13 * 388 / (8700 + 11700):.1%} of all tokens" in why


@pytest.mark.parametrize("aim", [Pair(), Regression(texts="pair")])
def test_auto_shortens_pairs(aim):
    assert chosen_document(Auto(max_length=64), aim, lengths(1, 90, 3000), 64)[0] == Truncate(max_length=64)


def test_auto_of_tagging_are_windows():
    assert chosen_document(Auto(), AIMS["tagging"](), lengths(1, 90, 3000), 512)[0] == Windows()
