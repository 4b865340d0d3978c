"""Made-up runs of many shapes, for looking at their reports."""

import numpy as np

from bertsmith.metrics import classification_intervals, classification_metrics
from bertsmith.report import (
    Answers,
    Curves,
    LabelSets,
    Notice,
    Numbers,
    ParameterGroup,
    RunReport,
    Speed,
    Split,
    Truncation,
)

LABELS = ("订单 物流", "退货 退款", "支付 方式", "发票", "会员 积分", "优惠券")
TEXTS = (
    "我的快递都三天没动了,能帮我看看吗?",
    "买错尺码了,吊牌还在,能退不?",
    "花呗可以分几期呀",
    "发票抬头写错了怎么重开",
    "积分什么时候到账,我上周就确认收货了",
    "where is my parcel?? it said delivered yesterday",
)


def answers(rows=500, labels=LABELS, *, skill=0.85, seed=0, texts=TEXTS, pairs=False):
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(labels), size=rows)
    scores = rng.normal(size=(rows, len(labels)))
    scores[np.arange(rows), truth] += 4 * skill
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    said = [texts[place % len(texts)] for place in rng.integers(1000, size=rows)]
    return Answers(
        labels=labels,
        truth=truth,
        answers=probabilities.argmax(axis=1),
        probabilities=probabilities,
        texts=said,
        pairs=said[::-1] if pairs else (),
        where=[f"test.csv:{row + 2}" for row in range(rows)],
    )


def split(name="test", source="test.csv", **choices):
    given = answers(**choices)
    asked = {"labels": given.labels, "probabilities": given.probabilities}
    return Split(
        name=name,
        source=source,
        rows=len(given.truth),
        metrics=classification_metrics(given.truth, given.answers, **asked),
        intervals=classification_intervals(given.truth, given.answers, **asked),
        answers=given,
    )


def label_sets(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, len(LABELS))) < 0.3
    probabilities = np.clip(0.55 * truth + 0.5 * rng.random(truth.shape), 0, 1)
    return LabelSets(
        labels=LABELS,
        truth=truth,
        answers=probabilities >= 0.45,
        probabilities=probabilities,
        cuts=[0.45] * len(LABELS),
        texts=[TEXTS[row % len(TEXTS)] for row in range(rows)],
        where=[f"test.csv:{row + 2}" for row in range(rows)],
    )


def numbers(rows=2000, seed=0, *, pairs=False):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 50, size=rows) / 10
    texts = [TEXTS[row % len(TEXTS)] for row in range(rows)]
    said = texts[::-1] if pairs else ()
    return Numbers(truth=truth, answers=truth + rng.normal(0, 0.6, size=rows), texts=texts, pairs=said)


def curves(updates=1300):
    steps = np.arange(1, updates + 1)
    rng = np.random.default_rng(3)
    loss = 1.8 * np.exp(-steps / 250) + 0.1 + 0.15 * rng.random(updates)
    rate = 5e-5 * np.minimum(steps / 100, (updates - steps) / (updates - 100))
    dev_steps = np.linspace(updates // 5, updates, 5).astype(np.int64)
    dev = np.array([0.71, 0.802, 0.846, 0.861, 0.858])
    return Curves(
        steps=steps,
        loss=loss,
        rate=rate,
        metric="accuracy",
        dev_steps=dev_steps,
        dev=dev,
        best_step=int(dev_steps[3]),
    )


def groups():
    names = [
        ("head", 1_542, 1e-3),
        ("layer 2", 198_272, 5e-5),
        ("layer 1", 198_272, 4.75e-5),
        ("embeddings", 2_700_000, 4.5e-5),
    ]
    return [
        ParameterGroup(name=name, parameters=size, rate=rate, decay=0.01, tensors=(f"{name}.weight", f"{name}.bias"))
        for name, size, rate in names
    ]


def full_run(**changes):
    lengths = np.random.default_rng(1).gamma(3, 30, size=2000).astype(np.int64) + 3
    told = {
        "title": "客服问题 intents",
        "task": "classification",
        "model": "tiny, random weights",
        "train_source": "train.csv",
        "train_texts": 2000,
        "labels": LABELS,
        "splits": (split("dev", "10 % of train.csv, stratified, seed 42", rows=222, seed=7), split()),
        "truncation": Truncation(strategy="head + tail", max_length=128, texts=412, tokens=20_113),
        "setup": {
            "Seed": "42",
            "Precision": "bfloat16",
            "Device": "cpu, 2 threads",
            "Epochs": "3",
            "Batch": "32 texts",
        },
        "notices": (
            Notice(level="info", what="the head is new: classifier.weight, classifier.bias"),
            Notice(
                level="warning",
                what="2 texts of test.csv stand in train.csv too",
                where="test.csv:17",
                fix="remove them from train.csv, or the test says too much",
            ),
        ),
        "curves": curves(),
        "lengths": lengths,
        "groups": groups(),
        "speed": Speed(seconds=203.4, tokens=1_234_567, updates=1300, memory=912_000_000),
        "command": (
            "bertsmith",
            "finetune",
            "--task",
            "classification",
            "--train",
            "my data/train.csv",
            "--seed",
            "42",
        ),
        "versions": {"bertsmith": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
        "recipe": "task: classification\nseed: 42\n",
        "language": "zh",
    }
    return RunReport(**{**told, **changes})
