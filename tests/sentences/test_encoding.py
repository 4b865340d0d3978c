"""Many texts to vectors: order, windows, odd texts, NaN."""

import itertools
import threading

import numpy as np
import pytest
import torch

from bertsmith.encoder import load_checkpoint
from bertsmith.errors import UserError
from bertsmith.sentences import POOLINGS, SentenceEmbedder, SentenceTask, TextReader, encode_stream, encoding
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import Truncated

from .samples import ODD, TEXTS, write_encoder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def embedder(folder):
    return SentenceEmbedder(SentenceTask(features=POOLINGS["mean"]), load_checkpoint(folder).encoder).eval()


@pytest.fixture
def reader(folder):
    return TextReader(Tokenizer.from_folder(folder), 40)


def encoded(embedder, reader, texts, **options):
    return list(encode_stream(embedder, reader, texts, device=CPU, **options))


def test_vectors_come_in_the_order_of_the_texts(embedder, reader, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW", 3)
    parts = encoded(embedder, reader, TEXTS, max_tokens=12)
    assert [len(part.vectors) for part in parts] == [3, 3, 2]
    together = np.concatenate([part.vectors for part in parts])
    assert together.dtype == np.float32
    for row, text in enumerate(TEXTS):
        assert np.abs(encoded(embedder, reader, [text])[0].vectors[0] - together[row]).max() < 1e-6
    assert sum(part.counts.texts for part in parts) == len(TEXTS)


def test_a_stream_is_read_one_window_ahead(embedder, reader, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW", 4)
    drawn = []
    endless = (drawn.append(number) or TEXTS[number % len(TEXTS)] for number in itertools.count())
    stream = encode_stream(embedder, reader, endless, device=CPU)
    assert len(next(stream).vectors) == 4
    assert len(drawn) == 8
    next(stream)
    assert len(drawn) == 12
    stream.close()


def test_the_next_window_is_tokenized_while_the_model_computes(embedder, reader, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW", 4)
    second = threading.Event()

    class Reader(TextReader):
        def __call__(self, texts):
            if texts[0] == TEXTS[4]:
                second.set()
            return super().__call__(texts)

    class Waiting:
        width = embedder.width

        def __call__(self, batch):
            assert second.wait(30), "nobody reads the second window while the model has the first"
            return embedder(batch)

    (one, two) = encode_stream(Waiting(), Reader(reader.tokenizer, reader.max_length), TEXTS, device=CPU)
    assert np.array_equal(np.concatenate([one.vectors, two.vectors]), encoded_in_fours(embedder, reader))


def encoded_in_fours(embedder, reader):
    return np.concatenate([encoded(embedder, reader, TEXTS[at : at + 4])[0].vectors for at in (0, 4)])


def test_what_fails_in_a_window_leaves_the_one_before_it(embedder, reader, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW", 4)

    def broken():
        yield from TEXTS[:6]
        raise OSError("the disk is gone")

    stream = encode_stream(embedder, reader, broken(), device=CPU)
    assert len(next(stream).vectors) == 4
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_no_texts_no_vectors(embedder, reader):
    assert encoded(embedder, reader, []) == []


def test_odd_texts_are_encoded_and_counted(embedder, reader):
    (part,) = encoded(embedder, reader, [*ODD, *TEXTS])
    assert np.isfinite(part.vectors).all()
    assert np.array_equal(part.vectors[0], part.vectors[2])
    counts = part.counts
    assert (counts.blank, counts.unknown, counts.truncated.texts) == (2, 1, 1)
    assert counts.truncated == Truncated(1, 300 - 38)
    notes = counts.notes(40)
    assert "1 of 12 texts are longer than 40 tokens; the beginning is read, 262 tokens are lost" in notes
    assert any("2 of 12 texts are blank" in note for note in notes)
    assert any("no token the vocabulary knows" in note for note in notes)
    assert (counts + counts).truncated.tokens == 524


def test_the_beginning_of_a_long_text_is_read(embedder, reader):
    (part,) = encoded(embedder, reader, ["walk " * 300, "walk " * 38])
    assert np.abs(part.vectors[0] - part.vectors[1]).max() < 1e-6


def test_a_prompt_stands_before_each_text(embedder, reader):
    prompted = TextReader(reader.tokenizer, 40, "the man ")
    (with_prompt,) = encoded(embedder, prompted, ["reads"])
    (written,) = encoded(embedder, reader, ["the man reads"])
    assert np.array_equal(with_prompt.vectors, written.vectors)


def test_bfloat16_is_near(embedder, reader):
    (exact,), (half,) = (encoded(embedder, reader, TEXTS, dtype=kind) for kind in (torch.float32, torch.bfloat16))
    assert half.vectors.dtype == np.float32
    assert 0 < np.abs(exact.vectors - half.vectors).max() < 0.1


def test_nan_names_its_row(embedder, reader, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW", 4)
    with torch.no_grad():
        place = int(reader.tokenizer.tokenize(["password"])[0].token_ids[0])
        embedder.encoder.embeddings.token.weight[place] = float("nan")
    with pytest.raises(UserError, match=r"row 6: the vector of 'how do i change my password' holds NaN") as caught:
        encoded(embedder, reader, TEXTS)
    assert (caught.value.code, caught.value.where) == ("nan_vectors", "row 6")


def test_no_room_for_text(embedder, reader):
    with pytest.raises(UserError, match="max_length 2 leaves no room for text"):
        encoded(embedder, TextReader(reader.tokenizer, 2), TEXTS)
