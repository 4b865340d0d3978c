"""Folders of sentence encoders: ours again, as sentence-transformers reads them, and theirs as we read them."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bertsmith.errors import UserError
from bertsmith.features import Average, Features, One
from bertsmith.recipes import fit_whitening, is_sentence_encoder, load_sentence_bundle, save_sentence_bundle
from bertsmith.sentences import Projection, SentenceEmbedder

from ..sentences.samples import ODD, TEXTS, write_encoder
from ..tiny import contents

CPU = torch.device("cpu")
ALL = [*TEXTS, *ODD]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("plain"))


def vectors(bundle, texts=ALL, **options):
    return bundle.encode(texts, device=CPU, **options).vectors


def theirs(folder):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sentence_transformers.SentenceTransformer(str(folder), device="cpu")


def made(plain, name):
    """A bundle of each kind that can be written."""
    bundle = load_sentence_bundle(plain, pooling="mean", max_length=64)
    if name == "projected":
        layers = (Projection(width=16, activation="tanh"), Projection(width=10, bias=False))
        embedder = SentenceEmbedder(bundle.task.but(projections=layers, normalize=True), bundle.embedder.encoder)
        return type(bundle)(embedder.eval(), bundle.tokenizer, bundle.family, heads=bundle.heads)
    if name == "whitened":
        return bundle.whitened(fit_whitening(bundle, TEXTS, dims=5, device=CPU)).but(normalize=True, dim=3)
    if name == "cut":
        return bundle.but(dim=7, normalize=True)
    if name == "layers":
        features = Features(layers=Average(numbers=(0, 2, 3)), pooling="max")
        return type(bundle)(
            SentenceEmbedder(bundle.task.but(features=features), bundle.embedder.encoder).eval(),
            bundle.tokenizer,
            bundle.family,
        )
    if name == "prompts":
        return bundle.but(prompts={"query": "the man ", "document": "people "}, default_prompt="query")
    return bundle.pooled_by(name)


KINDS = ("cls", "pooler", "first-last-avg", "mean", "max", "projected", "whitened", "cut", "layers", "prompts")


@pytest.mark.parametrize("kind", KINDS)
def test_written_and_read_by_both(plain, kind, tmp_path):
    bundle = made(plain, kind)
    assert save_sentence_bundle(bundle, tmp_path / "out") == ()
    ours = vectors(bundle)
    again = load_sentence_bundle(tmp_path / "out")
    assert again.task == bundle.task
    assert np.array_equal(vectors(again), ours)
    assert is_sentence_encoder(tmp_path / "out")
    model = theirs(tmp_path / "out")
    assert model.max_seq_length == 64
    prompt = {"prompt_name": "query"} if kind == "prompts" else {}
    found = model.encode(ALL, **prompt)
    assert found.shape == ours.shape
    assert np.abs(found - ours).max() < 2e-5


def test_equal_bundles_are_equal_bytes(plain, tmp_path):
    for name in ("one", "two"):
        save_sentence_bundle(made(plain, "whitened"), tmp_path / name)
    first, second = (contents(tmp_path / name) for name in ("one", "two"))
    assert first == second


def test_what_they_cannot_compute_they_refuse(plain, tmp_path):
    bundle = load_sentence_bundle(plain, pooling="all-concat")
    (note,) = save_sentence_bundle(bundle, tmp_path)
    assert "sentence-transformers has no module for pooling 'all-concat' and will refuse" in note
    assert np.array_equal(vectors(load_sentence_bundle(tmp_path)), vectors(bundle))
    with pytest.raises((ImportError, ValueError), match="FeaturesUnknownToSentenceTransformers"):
        theirs(tmp_path)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_their_folders_of_today_are_read(plain, pooling, tmp_path):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformer = Transformer(str(plain), max_seq_length=33)
        chain = [transformer, Pooling(24, pooling_mode=pooling), Dense(24, 9), Normalize()]
        model = SentenceTransformer(modules=chain, prompts={"query": "the man "}, device="cpu")
        model.save(str(tmp_path))
    bundle = load_sentence_bundle(tmp_path)
    assert (bundle.max_length, bundle.width, bundle.task.normalize) == (33, 9, True)
    assert np.abs(vectors(bundle) - model.encode(ALL)).max() < 2e-5
    with_prompt = model.encode(list(TEXTS), prompt_name="query")
    assert np.abs(vectors(bundle, TEXTS, prompt="query") - with_prompt).max() < 2e-5


def old_layout(plain, folder, *modules, **prompts):
    """A folder as old versions wrote it; `modules` are class, folder and config."""
    shutil.copytree(plain, folder)
    listed = [("Transformer", "", None), *modules]
    for _, path, config in listed:
        if config is not None:
            (folder / path).mkdir(exist_ok=True)
            (folder / path / "config.json").write_text(json.dumps(config))
    names = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path, _) in enumerate(listed)
    ]
    (folder / "modules.json").write_text(json.dumps(names))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


CLS = {"word_embedding_dimension": 24, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}


def test_a_folder_like_bge(plain, tmp_path):
    folder = old_layout(
        plain,
        tmp_path / "bge",
        ("Pooling", "1_Pooling", CLS),
        ("Normalize", "2_Normalize", None),
        prompts={"query": "the man "},
        default_prompt_name=None,
        similarity_fn_name="dot",
    )
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 20, "do_lower_case": true}')
    bundle = load_sentence_bundle(folder)
    assert (bundle.task.pooling, bundle.task.normalize, bundle.task.similarity) == ("cls", True, "dot")
    assert bundle.max_length == 20
    assert np.abs(vectors(bundle) - theirs(folder).encode(ALL)).max() < 2e-5


def test_a_length_beyond_the_positions_is_cut_and_said(plain, tmp_path):
    folder = old_layout(plain, tmp_path / "long", ("Pooling", "1_Pooling", CLS))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8192}')
    bundle = load_sentence_bundle(folder)
    assert bundle.max_length == 512
    assert any("8192 tokens a text, the encoder has 512 positions" in note for note in bundle.notes)
    assert not bundle.task.normalize
    with pytest.raises(UserError, match="max_length is 8192, but this encoder has 512"):
        load_sentence_bundle(folder, max_length=8192).encode(["a"], device=CPU)


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ([("Pooling", "1_Pooling", CLS), ("CNN", "2_CNN", {})], "has a module CNN"),
        ([("Pooling", "1_Pooling", CLS), ("Normalize", "2", None), ("Dense", "3", {})], "Dense after Normalize"),
        ([("Dense", "1_Dense", {})], "dense layer before its Pooling"),
        ([("Normalize", "1_Normalize", None)], "has no Pooling"),
        ([("Pooling", "1_Pooling", {**CLS, "include_prompt": False})], "leaves the prompt out"),
        ([("Pooling", "1_Pooling", {**CLS, "pooling_mode_max_tokens": True})], "pools by cls_token and max_tokens"),
        ([("Pooling", "1_Pooling", {"pooling_mode": "lasttoken"})], "pools by lasttoken"),
        ([("Pooling", "../else", CLS)], "outside its folder"),
    ],
)
def test_what_we_cannot_compute_is_refused(plain, tmp_path, modules, told):
    with pytest.raises(UserError, match=told):
        load_sentence_bundle(old_layout(plain, tmp_path / "theirs", *modules))


def test_layers_that_are_weighed_unevenly_are_refused(plain, tmp_path):
    bundle = made(plain, "first-last-avg")
    save_sentence_bundle(bundle, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["bertsmith"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    read = load_sentence_bundle(tmp_path)
    assert read.task.features == Features(layers=Average(numbers=(1, 3)), pooling="mean")
    assert np.array_equal(vectors(read), vectors(bundle))
    weights = tmp_path / "1_WeightedLayerPooling" / "model.safetensors"
    save_file({"layer_weights": load_file(weights)["layer_weights"] * torch.tensor([1, 1.0, 1, 2])}, weights)
    with pytest.raises(UserError, match="weighs layers by"):
        load_sentence_bundle(tmp_path)
    save_file({"layer_weights": torch.tensor([0.0, 0, 2, 0])}, weights)
    assert load_sentence_bundle(tmp_path).task.features == Features(layers=One(number=2), pooling="mean")


def test_an_encoder_that_does_not_say_how_it_pools(plain):
    bundle = load_sentence_bundle(plain)
    assert bundle.task.pooling == "first-last-avg"
    assert any("first-last-avg is taken (--pooling chooses another)" in note for note in bundle.notes)
    assert not bundle.task.normalize
    assert not is_sentence_encoder(plain)
    named = load_sentence_bundle(plain, pooling="P4", normalize=True, dim=5)
    assert not any("is taken" in note for note in named.notes)
    assert np.allclose(np.linalg.norm(vectors(named), axis=1), 1, atol=1e-6)
    assert named.width == 5
    assert any("the first 5 dimensions are kept; the model does not say" in note for note in named.notes)


def test_a_random_pooler_is_refused(tmp_path):
    folder = write_encoder(tmp_path, pooler=False)
    with pytest.raises(UserError, match="has no pooler") as caught:
        load_sentence_bundle(folder, pooling="pooler")
    assert caught.value.code == "no_pooler"


def test_another_pooling_leaves_out_what_was_made_for_the_old_one(plain, tmp_path):
    save_sentence_bundle(made(plain, "whitened"), tmp_path)
    bundle = load_sentence_bundle(tmp_path, pooling="cls")
    assert any(
        "pooling cls instead of mean: the whitening, the cut to 3 dimensions left out" in n for n in bundle.notes
    )
    assert (bundle.width, bundle.task.whitening) == (24, None)


def test_a_whitened_encoder_is_whitened_anew_from_its_bare_vectors(plain):
    bundle = made(plain, "whitened")
    bare = vectors(bundle.bare())
    assert np.array_equal(bare, vectors(load_sentence_bundle(plain, pooling="mean", max_length=64)))
    again = bundle.whitened(fit_whitening(bundle, TEXTS, dims=5, device=CPU))
    assert np.allclose(vectors(again, TEXTS), vectors(bundle.but(dim=None), TEXTS), atol=1e-5)


def test_damage_is_found(plain, tmp_path):
    save_sentence_bundle(made(plain, "whitened"), tmp_path)
    shutil.rmtree(tmp_path / "3_Dense")
    with pytest.raises(UserError):
        load_sentence_bundle(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["bertsmith"]["format"] = 99
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="written in format 99"):
        load_sentence_bundle(tmp_path)
