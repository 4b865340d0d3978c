"""Several models as one: the mean of what they say, saved and loaded, and used wherever a model is."""

import json

import numpy as np
import pytest
import torch

from bertsmith import Classifier
from bertsmith.data import Marks, Record
from bertsmith.errors import UserError
from bertsmith.finetuning.together import mean_crf
from bertsmith.losses import Crf, LabelFacts
from bertsmith.recipes import (
    Bundle,
    Ensemble,
    Rows,
    evaluate_bundle,
    finetune,
    finetune_recipe,
    load_model,
    make_splits,
    save_bundle,
    save_model,
)
from bertsmith.text.tags import Span

from ..tiny import rows

CPU = torch.device("cpu")


def spans(text):
    words, place, found = text.split(), 0, []
    for word in words:
        if word in ("film", "town", "story"):
            found.append(Span(place, place + len(word), "THING"))
        place += len(word) + 1
    return tuple(found)


def records(kind, number=16, seed=0):
    made = []
    for text, label in rows(number, seed):
        match kind:
            case "classification":
                made.append(Record(text, None, label))
            case "pair":
                made.append(Record(text, label, label))
            case "multilabel":
                made.append(Record(text, None, tuple(w for w in ("film", "was", "good") if w in text.split())))
            case "regression":
                made.append(Record(text, None, float(len(text))))
            case "tagging":
                made.append(Record(text, None, tuple({s.type for s in spans(text)}), {}, "", Marks(spans(text))))
    return made


def trained(one_layer, kind, seed, **more) -> Bundle:
    given = {"task": kind, "start": {"encoder": str(one_layer)}, "budget": {"max_steps": 3}, "seed": seed}
    recipe = finetune_recipe(given={**given, "precision": "float32", "optimizer": {"lr": 0.01}, **more})
    splits = make_splits({"train": records(kind), "dev": records(kind, 6, 1)}, recipe)
    return finetune(recipe, splits).bundle


@pytest.mark.parametrize("kind", ["classification", "pair", "multilabel", "regression"])
def test_the_answer_is_the_mean_of_the_members(kind, one_layer, tmp_path):
    members = [trained(one_layer, kind, seed) for seed in (0, 1)]
    ensemble = Ensemble.of(members)
    new = records(kind, 10, 5)
    outputs = ensemble.outputs(ensemble.prepare(new), device=CPU)
    apart = [member.outputs(member.prepare(new), device=CPU).values for member in members]
    np.testing.assert_allclose(outputs.values, (apart[0] + apart[1]) / 2, atol=1e-6)
    save_model(ensemble, tmp_path / "both")
    loaded = load_model(tmp_path / "both")
    assert isinstance(loaded, Ensemble)
    assert loaded.answers == ensemble.answers
    np.testing.assert_allclose(loaded.outputs(loaded.prepare(new), device=CPU).values, outputs.values, atol=1e-6)
    measured, _ = evaluate_bundle(loaded, Rows(tuple(new), "new"), device=CPU, seed=0)
    truth = ensemble.answers.targets(new)
    assert measured.metrics == pytest.approx(ensemble.answers.metrics(outputs, truth))


@pytest.mark.parametrize("criterion", ["cross_entropy", "crf"])
def test_taggers_decide_together(criterion, one_layer):
    members = [trained(one_layer, "tagging", seed, criterion={"kind": criterion}) for seed in (0, 1)]
    ensemble = Ensemble.of(members)
    new = records("tagging", 9, 5)
    outputs = ensemble.outputs(ensemble.prepare(new), device=CPU)
    apart = [member.outputs(member.prepare(new), device=CPU) for member in members]
    np.testing.assert_array_equal(outputs.counts, apart[0].counts)
    if criterion == "cross_entropy":
        mean = (apart[0].values + apart[1].values) / 2
        np.testing.assert_allclose(outputs.values, mean, atol=1e-6)
        np.testing.assert_array_equal(outputs.best, outputs.values.argmax(1))
    names = ensemble.labels
    for one in outputs.split():
        tags = [names[number] for number in one.best]
        if criterion == "crf":
            steps = zip(["O", *tags[:-1]], tags, strict=True)
            assert all(not tag.startswith("I") or before[0] in "BI" for before, tag in steps), tags
    alone = Ensemble.of(members[:1])
    single = alone.outputs(alone.prepare(new), device=CPU)
    np.testing.assert_allclose(single.values, apart[0].values, atol=1e-5)
    np.testing.assert_array_equal(single.best, apart[0].best)


def test_scores_of_steps_are_averaged():
    facts = LabelFacts.of(("B-A", "I-A", "O"))
    chains = [Crf().build(facts) for _ in range(2)]
    for number, chain in enumerate(chains):
        with torch.no_grad():
            chain.start.fill_(number)
            chain.steps.fill_(3.0 * number)
            chain.end.fill_(-1.0)
    mean = mean_crf(chains)
    assert (mean.start == 0.5).all()
    assert (mean.steps == 1.5).all()
    assert (mean.end == -1).all()
    assert torch.equal(mean.free_steps, chains[0].free_steps)
    emissions = torch.tensor([[0.0, 5.0, 1.0]])
    assert mean.answer(emissions, None).tolist() == [2], "a span cannot begin inside"


def test_members_must_answer_the_same_question(one_layer):
    first = trained(one_layer, "classification", 0)
    with pytest.raises(UserError, match="model 2 of the ensemble answers another question: its task is 'multilabel'"):
        Ensemble.of([first, trained(one_layer, "multilabel", 0)])
    other = first.answers.but(labels=("a", "b"))
    second = trained(one_layer, "classification", 1)
    second.model.task = second.model.task.but(answers=other)
    with pytest.raises(UserError, match="its labels is \\('a', 'b'\\)"):
        Ensemble.of([first, second])
    with pytest.raises(UserError, match="at least one model"):
        Ensemble.of([])


def test_texts_are_tokenized_once_where_members_read_alike(one_layer):
    members = [trained(one_layer, "classification", 0) for _ in range(2)]
    ensemble = Ensemble.of(members)
    assert ensemble.members[0].tokenizer is ensemble.members[1].tokenizer
    prepared = ensemble.prepare(records("classification", 4, 3))
    assert prepared.members[0] is prepared.members[1]
    short = Ensemble.of([members[0], trained(one_layer, "classification", 0, document={"max_length": 5})])
    prepared = short.prepare(records("classification", 4, 3))
    assert [each.truncated.texts for each in prepared.members] == [0, 4]


def test_estimators_and_teachers_take_ensembles(one_layer, tmp_path):
    members = [trained(one_layer, "classification", seed) for seed in (0, 1)]
    save_model(Ensemble.of(members), tmp_path / "both")
    classifier = Classifier.load(tmp_path / "both")
    chances = classifier.predict_proba(["a good film", "a bad film"])
    apart = []
    for number, member in enumerate(members):
        save_bundle(member, tmp_path / str(number))
        apart.append(Classifier.load(tmp_path / str(number)).predict_proba(["a good film", "a bad film"]))
    np.testing.assert_allclose(chances, np.mean(apart, axis=0), atol=1e-6)
    classifier.save(tmp_path / "again")
    assert (tmp_path / "again" / "members" / "1" / "model.safetensors").exists()
    student = trained(one_layer, "classification", 2, distill={"teacher": str(tmp_path / "both")})
    assert set(student.labels) == set(classifier.classes_)


def test_a_damaged_folder_is_refused(one_layer, tmp_path):
    save_model(Ensemble.of([trained(one_layer, "classification", 0)]), tmp_path / "one")
    path = tmp_path / "one" / "config.json"
    told = json.loads(path.read_text())
    told["bertsmith"]["ensemble"]["members"] = ["../elsewhere"]
    path.write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"member '\.\./elsewhere' lies outside of the folder"):
        load_model(tmp_path / "one")
    told["bertsmith"] |= {"format": 99}
    path.write_text(json.dumps(told))
    with pytest.raises(UserError, match="written in format 99"):
        load_model(tmp_path / "one")
