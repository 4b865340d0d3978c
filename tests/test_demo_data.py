"""The demo's own data: enough of it, natural groups, and no near-duplicates between groups."""

import csv
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

import bertsmith

DEMO = Path(bertsmith.__file__).parent / "assets" / "demo"
LEAST = {"zh": (1500, 20), "en": (400, 6)}


def rows(language: str, kind: str) -> list[dict[str, str]]:
    with (DEMO / f"{language}_{kind}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=["zh", "en"])
def language(request):
    return request.param


def test_enough_texts_and_intents(language):
    questions = rows(language, "questions")
    texts, intents = LEAST[language]
    assert len(questions) >= texts
    assert len({row["label"] for row in questions}) >= intents


def test_no_text_twice(language):
    counts = Counter(row["text"] for row in rows(language, "questions"))
    assert [text for text, count in counts.items() if count > 1] == []


def test_groups_hold_four_to_eight_wordings_of_one_intent(language):
    groups = defaultdict(list)
    for row in rows(language, "questions"):
        groups[row["group"]].append(row["label"])
    assert {group: len(labels) for group, labels in groups.items() if not 4 <= len(labels) <= 8} == {}
    assert [group for group, labels in groups.items() if len(set(labels)) > 1] == []


def test_every_group_has_one_answer_with_its_intent(language):
    intents = {row["group"]: row["label"] for row in rows(language, "questions")}
    answers = rows(language, "answers")
    assert Counter(row["group"] for row in answers) == Counter(list(intents))
    assert all(row["answer"].strip() and row["label"] == intents[row["group"]] for row in answers)


def trigrams(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(len(text) - 2)} or {text}


def test_no_near_duplicates_across_groups(language):
    questions = [(row["group"], trigrams(row["text"]), row["text"]) for row in rows(language, "questions")]
    close = [
        (first, second)
        for (a, grams, first), (b, others, second) in combinations(questions, 2)
        if a != b and len(grams & others) > 0.6 * len(grams | others)
    ]
    assert close == []
