"""Several tasks for Python: an estimator each, one encoder, saved and loaded, with scikit-learn's manners."""

import json

import numpy as np
import pytest
from sklearn.base import clone

from bertsmith import Classifier, MultiTask, Regressor, Tagger, UserError

from ..cli.test_tagging import made
from ..tiny import SHAPE, rows

TEXTS, LABELS = (list(part) for part in zip(*rows(40), strict=True))
NAMES = made(24, 0)
MARKED = ([row["text"] for row in NAMES], [[tuple(span) for span in row["spans"]] for row in NAMES])
SETTINGS = ("precision=float32", "batches.batch_size=8", "budget.epochs=2", "optimizer.lr=0.01", "leaks=keep")
TASKS = {
    "mood": "classification",
    "names": {"task": "tagging", "criterion": {"kind": "crf"}},
    "length": {"task": "regression", "head_lr": 0.02},
    "words": "multilabel",
}
DATA = {
    "mood": (TEXTS, np.array([label == "pos" for label in LABELS])),
    "names": MARKED,
    "length": (TEXTS, [len(text) for text in TEXTS]),
    "words": (TEXTS, [[word for word in ("film", "was") if word in text] for text in TEXTS]),
}


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


@pytest.fixture(scope="module")
def model(shape):
    settings = [*SETTINGS, "final.epochs=1", "final.tasks=[mood]"]
    return MultiTask(encoder=shape, tasks=TASKS, settings=settings).fit(DATA, dev={"mood": (TEXTS[:8], LABELS_OF_DEV)})


LABELS_OF_DEV = np.array([label == "pos" for label in LABELS[:8]])


def test_every_task_has_its_estimator_and_labels_their_type(model, tmp_path):
    assert list(model) == list(TASKS)
    assert [type(model[name]) for name in TASKS] == [Classifier, Tagger, Regressor, Classifier]
    assert model["mood"].classes_.tolist() == [False, True]
    assert model["mood"].predict(TEXTS[:3]).dtype == bool
    assert model["length"].predict(TEXTS[:3]).shape == (3,)
    assert all(isinstance(labels, tuple) for labels in model["words"].predict(TEXTS[:3]))
    assert model.result_.summary()["train_texts"]["mood"] == 40
    assert model.result_.tasks["mood"].splits.dev.source == "dev"
    assert list(model.final_) == ["mood"]
    assert model.final_["mood"].predict(TEXTS[:2]).dtype == bool

    model.save(tmp_path / "out")
    again = MultiTask.load(tmp_path / "out")
    for name, (texts, _) in DATA.items():
        found, expected = again[name].predict(texts[:5]), model[name].predict(texts[:5])
        assert np.array_equal(found, expected) if isinstance(found, np.ndarray) else found == expected
    with pytest.raises(UserError, match="holds the tasks"):
        Classifier.load(tmp_path / "out")


def test_manners(shape):
    made = MultiTask(encoder=shape, tasks=TASKS, epochs=2)
    assert clone(made).get_params() == made.get_params()
    assert "epochs=2" in repr(made)
    with pytest.raises(UserError, match="not fitted yet"):
        made["mood"]
    with pytest.raises(UserError, match="not fitted yet"):
        made.save("nowhere")


@pytest.mark.parametrize(
    ("tasks", "data", "said"),
    [
        (None, {}, "name the tasks"),
        ({"a": "poetry"}, {"a": (TEXTS, LABELS)}, "no kind of task 'poetry'"),
        ({"a": "classification"}, {}, "data lacks 'a'"),
        ({"a": "classification"}, {"a": (TEXTS, LABELS), "b": (TEXTS, LABELS)}, "tasks lacks 'b'"),
        ({"a": "classification"}, {"a": DATA["words"]}, "its labels are those of multilabel"),
        ({"a": "multilabel"}, {"a": (TEXTS, LABELS)}, "its labels are those of classification"),
        ({"a": "regression"}, {"a": (TEXTS, LABELS)}, "give a finite number a text"),
    ],
)
def test_what_does_not_fit_is_refused(shape, tasks, data, said):
    with pytest.raises(UserError, match=said):
        MultiTask(encoder=shape, tasks=tasks).fit(data)


def test_a_task_that_is_not_there(model):
    with pytest.raises(UserError, match="there is no task 'moods'; the tasks are mood, names"):
        model["moods"]
    with pytest.raises(UserError, match="dev has a task 'moods'"):
        MultiTask(tasks=TASKS).fit(DATA, dev={"moods": (TEXTS, LABELS)})


def test_a_warm_start_of_a_classifier(shape):
    warm = Classifier(encoder=shape, warm_start=1, epochs=1, batch_size=8, settings=["precision=float32"])
    warm.fit(TEXTS, LABELS)
    assert warm.result_.summary()["warm_start"]["steps"] == 2
    fields = Classifier(encoder=shape, warm_start={"epochs": 3, "loss": {"kind": "class_cosine"}}).recipe().warm_start
    assert (fields.epochs, fields.loss.kind) == (3, "class_cosine")
