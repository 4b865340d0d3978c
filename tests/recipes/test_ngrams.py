"""N-grams beside the encoder: when they answer, what they are worth, and that they stay."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bertsmith.batch import Example
from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.finetuning import predict
from bertsmith.metrics import pooled
from bertsmith.recipes import (
    FinetuneResult,
    evaluate_bundle,
    finetune,
    finetune_recipe,
    load_bundle,
    make_splits,
    ngrams,
    rehearse,
    save_bundle,
)
from bertsmith.recipes.vocabulary import Extension, extend
from bertsmith.text import Tokenizer

from .test_run import recipe_for, records

CPU = torch.device("cpu")


def run(shape: Path, *settings: str, train: int = 40) -> FinetuneResult:
    recipe = recipe_for(shape, *settings)
    made = {"train": records("train", train), "dev": records("dev", 16, 1), "test": records("test", 16, 2)}
    return finetune(recipe, make_splits(made, recipe))


@pytest.mark.parametrize(
    ("start", "settings", "asked"),
    [
        ({"encoder": "tiny"}, [], True),
        ({"model": "tiny-zh"}, [], True),
        ({"model": "tiny-zh"}, ["ngrams=null"], False),
        ({"model": "tiny-zh"}, ["task=pair"], True),
        ({"model": "tiny-zh"}, ["task=multilabel"], False),
    ],
)
def test_they_answer_beside_encoders_that_know_little(start, settings, asked):
    assert (finetune_recipe(given={"start": start}, settings=settings).ngrams is not None) == asked


def test_beside_wide_checkpoints_only_on_request(monkeypatch):
    monkeypatch.setattr("bertsmith.recipes.schema.NARROW", 16)
    given = {"start": {"model": "tiny-zh"}}
    assert finetune_recipe(given=given).ngrams is None
    assert finetune_recipe(given=given, settings=["ngrams.longest=2"]).ngrams is not None


@pytest.mark.parametrize("task", ["multilabel", "regression", "tagging"])
def test_tasks_without_one_label_refuse_them(task):
    with pytest.raises(UserError, match=f"ngrams answers a text or a pair with one label, which task {task} does not"):
        finetune_recipe(given={"task": task, "start": {"encoder": "tiny"}}, settings=["ngrams={}"])


def test_what_is_said_is_the_pool_of_both_and_each_is_told(one_layer: Path):
    result = run(one_layer, "optimizer.lr=0.002")
    alone = run(one_layer, "optimizer.lr=0.002", "ngrams=null")
    joined, scorer = result.joined, result.bundle.model.ngrams
    assert joined is not None
    assert scorer is not None
    assert alone.joined is None
    for name in ("dev", "test"):
        encoder, both = alone.measured[name], result.measured[name]
        chances = scorer.chances(result.prepared[name].readings)
        assert np.array_equal(both.outputs.values, pooled(encoder.outputs.values, chances, joined.powers))
        assert joined.metrics[name]["encoder"] == encoder.metrics
        assert joined.metrics[name]["both"] == both.metrics
        assert joined.metrics[name]["ngrams"]["accuracy"] == (chances.argmax(1) == both.truth.values).mean()
    told = result.summary()["ngrams"]
    assert told["features"] == joined.features > 0
    assert told["powers"] == dict(zip(("encoder", "ngrams"), joined.powers, strict=True))
    assert told["test"]["both"] == result.summary()["test"]
    assert any(note.startswith("n-grams: when training is over") for note in result.notes)
    assert any(f"n-grams: {joined.features:,} of them answer beside the encoder, " in note for note in result.notes)


@pytest.mark.parametrize("document", [[], ["document={kind: chunks, max_length: 6, overlap: 1}"]])
def test_a_saved_model_answers_as_it_was_measured(one_layer: Path, tmp_path: Path, document):
    result = run(one_layer, "optimizer.lr=0.002", "calibrate=true", *document)
    save_bundle(result.bundle, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    assert loaded.model.task == result.bundle.model.task
    again, _ = evaluate_bundle(loaded, result.splits.test, device=CPU, seed=0)
    assert np.array_equal(again.outputs.values, result.measured["test"].outputs.values)
    one = loaded.prepare(result.splits.test.records[3:4]).views
    assert predict(loaded.model, one, device=CPU).values[0] == pytest.approx(again.outputs.values[3], abs=1e-5)


def pairs(name: str, number: int, seed: int) -> list[Record]:
    """Two texts of one mood, or of two."""
    one, other = records(name, number, seed), records(name, number, seed + 9)
    drawn = np.random.default_rng(seed).permutation(number)
    return [
        replace(left, text_pair=other[place].text, label=str(left.label == other[place].label))
        for left, place in zip(one, drawn, strict=True)
    ]


@pytest.mark.parametrize("symmetric", [False, True])
def test_of_pairs_they_answer_too(one_layer: Path, tmp_path: Path, symmetric):
    recipe = recipe_for(one_layer, f"task={{kind: pair, symmetric: {str(symmetric).lower()}}}", "ngrams.min_texts=1")
    made = {"train": pairs("train", 60, 0), "dev": pairs("dev", 16, 1), "test": pairs("test", 16, 2)}
    result = finetune(recipe, make_splits(made, recipe))
    scorer, joined = result.bundle.model.ngrams, result.joined
    assert scorer is not None
    assert joined is not None
    assert scorer.part.sides == ("symmetric" if symmetric else "ordered")
    assert set(joined.metrics["test"]) == {"encoder", "ngrams", "both"}
    assert f"in 4 ways, of which dev chose strength={joined.chosen.strength:g} exchanged=" in str(joined)
    assert result.summary()["ngrams"]["strength"] == joined.chosen.strength
    assert scorer.part.exchanged == joined.chosen.exchanged
    save_bundle(result.bundle, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    again, _ = evaluate_bundle(loaded, result.splits.test, device=CPU, seed=0)
    assert np.array_equal(again.outputs.values, result.measured["test"].outputs.values)


def test_a_vocabulary_too_large_is_told_before_training(one_layer: Path, monkeypatch):
    monkeypatch.setattr("bertsmith.finetuning.ngram_counts.MOST_IDS_OF_TWO", 10)
    recipe = recipe_for(one_layer, "task=pair", "ngrams.exchanged=2")
    made = {"train": pairs("train", 24, 0), "dev": pairs("dev", 8, 1)}
    with pytest.raises(UserError, match="take a vocabulary of at most 10 tokens"):
        rehearse(recipe, make_splits(made, recipe))


def test_a_vocabulary_is_not_extended_beyond_what_n_grams_of_pairs_can_tell_apart(
    one_layer: Path, tmp_path: Path, monkeypatch
):
    recipe = recipe_for(one_layer, "task=pair", "ngrams={exchanged: 2, min_texts: 1}")
    result = finetune(recipe, make_splits({"train": pairs("train", 24, 0), "dev": pairs("dev", 8, 1)}, recipe))
    save_bundle(result.bundle, tmp_path / "model")
    (tmp_path / "words.txt").write_text("greatfilm\n", encoding="utf-8")
    extension = Extension(model=str(tmp_path / "model"), words=tmp_path / "words.txt")
    had = result.bundle.model.encoder.config.vocab_size
    assert extend(extension).encoder.config.vocab_size == had + 1
    monkeypatch.setattr("bertsmith.finetuning.ngram_counts.MOST_IDS_OF_TWO", had)
    with pytest.raises(UserError, match=f"take a vocabulary of at most {had} tokens, not {had + 1}"):
        extend(extension)


def test_pairs_without_segments_leave_the_encoder_alone(one_layer: Path, monkeypatch):
    recipe = recipe_for(one_layer, "task=pair")
    splits = make_splits({"train": pairs("train", 24, 0), "dev": pairs("dev", 8, 1)}, recipe)
    assemble = Tokenizer.assemble

    def without_segments(self: Tokenizer, *parts: np.ndarray) -> Example:
        made = assemble(self, *parts)
        return replace(made, segment_ids=np.zeros_like(made.segment_ids))

    monkeypatch.setattr(Tokenizer, "assemble", without_segments)
    result = finetune(recipe, splits)
    assert result.bundle.model.ngrams is None
    assert "tells no segments apart" in str(result.joined)


def test_labels_that_weigh_more_do_so_for_n_grams_too(one_layer: Path):
    plain, heavy = (
        run(one_layer, "criterion.kind=cross_entropy", f"criterion.class_weights={weights}").bundle.model.ngrams
        for weights in ("none", "[1, 9]")
    )
    assert plain is not None
    assert heavy is not None
    assert heavy.bias[1] > plain.bias[1]


def test_texts_without_a_run_in_common_leave_the_encoder_alone(one_layer: Path, tmp_path: Path):
    result = run(one_layer, "ngrams.min_texts=1000")
    assert result.bundle.model.ngrams is None
    why = "no run of tokens is in 1000 training texts or more, but not in all"
    assert result.summary()["ngrams"] == {"features": 0, "why": why}
    assert any(why in note for note in result.notes)
    save_bundle(result.bundle, tmp_path / "model")
    assert load_bundle(tmp_path / "model").model.ngrams is None


def test_of_very_many_tokens_texts_are_drawn_and_it_is_said(one_layer: Path, monkeypatch):
    monkeypatch.setattr(ngrams, "FIT_SIZE", 450)
    first, second = (run(one_layer).joined for _ in range(2))
    assert first is not None
    assert first == second
    assert 0 < first.texts < first.of == 40
    assert f"counted in {first.texts} of 40 training texts" in str(first)


def test_a_rehearsal_tells_of_them(one_layer: Path):
    recipe = recipe_for(one_layer, "ngrams.longest=2")
    made = {"train": records("train", 24), "dev": records("dev", 8, 1)}
    assert any("runs of 1 to 2 tokens" in note for note in rehearse(recipe, make_splits(made, recipe)).notes)
