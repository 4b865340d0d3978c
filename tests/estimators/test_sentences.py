"""`SentenceEncoder`, and the same model as MTEB sees it."""

import sys
import types
from enum import StrEnum

import numpy as np
import pytest
import torch

from bertsmith import SentenceEncoder, UserError
from bertsmith.estimators import MtebModel
from bertsmith.recipes import load_sentence_bundle, save_sentence_bundle

from ..sentences.samples import ODD, TEXTS, write_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    plain = write_encoder(tmp_path_factory.mktemp("encoders") / "plain")
    bundle = load_sentence_bundle(plain, pooling="mean")
    prompts = {"query": "the man ", "document": "people ", "STS": "a "}
    save_sentence_bundle(bundle.but(prompts=prompts), plain.parent / "sentences")
    return plain.parent / "sentences"


def test_vectors_of_texts(folder):
    encoder = SentenceEncoder(folder, device="cpu")
    vectors = encoder.encode(list(TEXTS))
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 24) == (len(TEXTS), encoder.width)
    unit = encoder.encode(np.array(TEXTS), normalize=True)
    assert np.allclose(unit, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-6)
    assert np.array_equal(np.concatenate(list(encoder.stream(iter(TEXTS)))), vectors)
    assert not np.allclose(encoder.encode(["a"], prompt="query"), encoder.encode(["a"]))
    assert encoder.encode([]).shape == (0, 24)
    assert np.array_equal(SentenceEncoder.load(folder, device="cpu").encode(list(TEXTS)), vectors)


def test_a_pooling_that_nobody_chose_is_said(folder):
    with pytest.warns(UserWarning, match="does not say how it pools: first-last-avg"):
        vectors = SentenceEncoder(folder.parent / "plain", device="cpu").encode(["a"])
    chosen = SentenceEncoder(folder.parent / "plain", pooling="P4", device="cpu").encode(["a"])
    assert np.array_equal(vectors, chosen)


def test_odd_texts_are_counted(folder):
    encoder = SentenceEncoder(folder, max_length=40, device="cpu")
    assert np.isfinite(encoder.encode(list(ODD))).all()
    counts = encoder.counts_
    assert (counts.texts, counts.blank, counts.unknown, counts.truncated.texts) == (4, 2, 1, 1)


def test_similarity(folder):
    encoder = SentenceEncoder(folder, device="cpu")
    unit = encoder.encode(list(TEXTS), normalize=True)
    found = encoder.similarity(list(TEXTS[:3]), list(TEXTS))
    assert np.allclose(found, unit[:3] @ unit.T, atol=1e-6)
    assert np.allclose(encoder.similarity(unit[:3], unit), found, atol=1e-6)
    assert np.allclose(
        encoder.similarity_pairwise(TEXTS[:3], list(TEXTS[3:6])), (unit[:3] * unit[3:6]).sum(1), atol=1e-6
    )
    with pytest.raises(UserError, match="1 first texts but 2 second ones"):
        encoder.similarity_pairwise(["a"], ["b", "c"])


def test_whitening_is_served_and_saved(folder, tmp_path):
    encoder = SentenceEncoder(folder, device="cpu").fit_whitening(list(TEXTS), dims=4)
    white = encoder.encode(list(TEXTS))
    assert np.abs(np.cov(white.T) - np.eye(4)).max() < 1e-3
    assert encoder.save(tmp_path) == ()
    assert np.array_equal(SentenceEncoder.load(tmp_path, device="cpu").encode(list(TEXTS)), white)


def test_parameters_are_scikit_learns(folder):
    encoder = SentenceEncoder(str(folder), pooling="cls", dim=5, device="cpu")
    assert type(encoder)(**encoder.get_params()).encode(["a"]).shape == (1, 5)
    assert repr(encoder) == f"SentenceEncoder(model={str(folder)!r}, pooling='cls', dim=5, device='cpu')"


@pytest.mark.parametrize(
    ("texts", "code"), [("one text", "not_a_list"), ([1], "not_text"), ([None], "not_text"), (["a", 2.0], "not_text")]
)
def test_refusals(folder, texts, code):
    with pytest.raises(UserError) as caught:
        SentenceEncoder(folder).encode(texts)
    assert caught.value.code == code


class Side(StrEnum):
    query = "query"
    document = "document"


def test_as_mteb_calls_it(folder, monkeypatch):
    encoder = SentenceEncoder(folder, device="cpu")
    model = MtebModel(encoder)
    batches = [{"text": list(TEXTS[:5])}, {"text": list(TEXTS[5:])}]
    task = types.SimpleNamespace(name="MyTask", type="Retrieval")
    given = {"task_metadata": task, "hf_split": "test", "hf_subset": "default", "batch_size": 7}
    asked = {None: None, Side.query: "the man ", Side.document: "people "}
    for side, prompt in asked.items():
        found = model.encode(batches, prompt_type=side, **given)
        assert np.array_equal(found, encoder.encode(list(TEXTS), prompt=prompt))
    similar = types.SimpleNamespace(name="MySts", type="STS")
    assert model.prompt(similar, Side.query) == "STS"
    one, two = encoder.encode(list(TEXTS[:3])), torch.from_numpy(encoder.encode(list(TEXTS)))
    assert model.similarity(one, two).shape == (3, 8)
    assert model.similarity(one[0], two).shape == (1, 8)
    assert torch.allclose(model.similarity_pairwise(one, two[:3]), torch.ones(3), atol=1e-5)
    kept = {}
    models = types.ModuleType("mteb.models")
    models.ModelMeta = types.SimpleNamespace(create_empty=lambda overwrites: kept.update(overwrites) or "meta")
    monkeypatch.setitem(sys.modules, "mteb", types.ModuleType("mteb"))
    monkeypatch.setitem(sys.modules, "mteb.models", models)
    assert model.mteb_model_meta == "meta"
    assert (kept["name"], kept["embed_dim"], kept["max_tokens"]) == ("bertsmith/sentences", 24, 512)
