"""`bertsmith mask`: one JSON object, words for people, a page; and every way to be wrong."""

import re
from pathlib import Path

import pytest

from bertsmith.cli import mask as command
from bertsmith.cli.options import CommonOptions
from bertsmith.pretraining import OBJECTIVES

from ..pretraining.wordlist import TEXT, WORDS, write_vocabulary
from ..tiny import call

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "pretraining.md"
PAIR = "今天很好。明天呢？"
HIDES_MUCH = CommonOptions(seed=3, settings=["objective.corrupt.select.rate=0.4"])


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Path:
    return write_vocabulary(tmp_path_factory.mktemp("vocabulary"))


def mask(capsys, vocabulary, objective, *more):
    return call(capsys, "mask", "--objective", objective, "--model", vocabulary, *more)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_gives_one_object(objective, vocabulary, capsys):
    settings = ["--set=objective.corrupt.replace.without_similar=random"] if objective == "macbert" else []
    told = mask(capsys, vocabulary, objective, TEXT + PAIR, "--json", *settings)
    assert told.code == 0, told.err
    assert {"text", "tokens", "input", "targets"} <= set(told.json)
    assert told.json["text"] == TEXT + PAIR
    assert told.json["targets"]
    variants = {"ernie": 3, "unilm": 4}.get(objective)
    assert len(told.json.get("variants", ())) == (variants or 0)


def test_whole_words_are_hidden_whole(vocabulary, capsys):
    for seed in range(5):
        rate = "objective.corrupt.select.rate=0.4"
        told = mask(capsys, vocabulary, "wwm", TEXT, "--json", "--seed", str(seed), "--set", rate).json
        assert [told["tokens"][start:end] for start, end in told["words"]] == WORDS
        hidden = {target["position"] for target in told["targets"]}
        assert 6 <= len(hidden) <= 9
        for start, end in told["words"]:
            assert hidden.isdisjoint(range(start, end)) or hidden.issuperset(range(start, end))


def test_the_example_of_the_docs_is_what_comes_out(vocabulary, capsys):
    told = mask(capsys, vocabulary, "wwm", TEXT, "--seed", "3", "--set", "objective.corrupt.select.rate=0.4")
    document = DOCUMENT.read_text(encoding="utf-8")
    lines = [line.strip() for line in told.out.splitlines() if re.match("  (tokens|input|asked) ", line)]
    assert len(lines) == 3
    for line in lines:
        assert line in document


def test_people_see_notes_pairs_and_sight(vocabulary, capsys):
    told = mask(capsys, vocabulary, "unilm", PAIR)
    assert told.code == 0, told.err
    assert "sequence_to_sequence (33 % of the texts)" in told.out
    assert "pair     next" in told.out
    assert "█·" in told.out
    electra = mask(capsys, vocabulary, "electra", PAIR)
    assert "a small generator fills them" in electra.out
    spans = [mask(capsys, vocabulary, "spanbert", TEXT, f"--seed={seed}").out for seed in range(4)]
    assert any(re.search(r"spans    \d+ to \d+ from \(\d+, \d+\)", out) for out in spans)
    gpt = mask(capsys, vocabulary, "gpt", TEXT)
    assert re.search(r"asked    \d+ tokens, each from the ones it sees", gpt.out)


def test_one_variant(vocabulary, capsys):
    told = mask(capsys, vocabulary, "ernie", TEXT, "--variant", "phrase", "--json").json
    assert told["variant"] == "phrase"
    assert "variants" not in told
    refused = mask(capsys, vocabulary, "ernie", TEXT, "--variant", "late", "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "bad_usage"
    assert "basic, phrase, entity" in refused.json["error"]["message"]


def test_several_texts_are_listed(vocabulary, capsys):
    told = mask(capsys, vocabulary, "bert", PAIR, TEXT, "--json").json
    assert [each["text"] for each in told["texts"]] == [PAIR, TEXT]
    assert told["objective"] == "bert"


def test_entities_and_similar_words_from_files(vocabulary, tmp_path, capsys):
    names, more = tmp_path / "names.txt", tmp_path / "more.txt"
    names.write_text("2026年\t12\n", encoding="utf-8")
    more.write_text("吃了\n", encoding="utf-8")
    hide = "objective.stages.entity.corrupt.select.rate=1"
    given = ["--entities", names, "--entities", more, "--variant", "entity", "--set", hide]
    told = mask(capsys, vocabulary, "ernie", *given, TEXT, "--json")
    assert told.code == 0, told.err
    assert len(told.json["targets"]) == sum(map(len, WORDS))
    table = tmp_path / "similar.tsv"
    table.write_text("我\t在\n在\t我\n吃\t了\n了\t吃\n还\t行\n行\t还\n火锅\t真的\n真的\t火锅\n", encoding="utf-8")
    kinds = set()
    for seed in range(10):
        told = mask(
            capsys, vocabulary, "macbert", "我在火锅。吃了真的还行。", "--similar", table, "--json", f"--seed={seed}"
        )
        assert told.code == 0, told.err
        kinds |= {target["kind"] for target in told.json["targets"]}
    assert "similar" in kinds


def test_a_recipe_of_a_run_is_a_place_to_start_from(vocabulary, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: wwm\nseed: 3\nstart: {{model: '{vocabulary}'}}\nobjective: {{corrupt: {{select: {{rate: 0.4}}}}}}\n",
        encoding="utf-8",
    )
    told = call(capsys, "mask", "--recipe", recipe, TEXT, "--json")
    assert told.code == 0, told.err
    same = mask(capsys, vocabulary, "wwm", TEXT, "--json", "--seed=3", "--set=objective.corrupt.select.rate=0.4")
    assert told.json == same.json
    scratch = tmp_path / "scratch.yaml"
    scratch.write_text("name: wwm\nstart: {encoder: tiny}\n", encoding="utf-8")
    assert "give --model" in call(capsys, "mask", "--recipe", scratch, TEXT).err


def test_the_page(vocabulary, tmp_path, capsys):
    page = tmp_path / "page.html"
    evil = "<script>alert('x')</script>今天很好。"
    told = mask(capsys, vocabulary, "unilm", evil, TEXT, "--html", page, "--json")
    assert told.code == 0, told.err
    assert str(page) in told.err
    assert len(told.json["texts"]) == 2
    written = page.read_text(encoding="utf-8")
    assert written.count("<script>") == 1
    assert "alert(" in written
    assert written.count('class="seen"') == 6


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--objective", "wwm", TEXT], "bad_usage", "give --model"),
        (["--model", "VOCABULARY", TEXT], "bad_usage", "give --objective; there are bert"),
        (["--model", "VOCABULARY", "--objective", "wvm", TEXT], "bad_usage", "--objective wvm"),
        (["--model", "VOCABULARY", "--objective", "wwm"], "bad_usage", "at least one text"),
        (["--model", "VOCABULARY", "--objective", "wwm", " "], "blank_text", "no token"),
        (["--model", "VOCABULARY", "--objective", "macbert", TEXT], "no_similar_words", "without_similar=random"),
        (["--model", "no/such/model/at all", "--objective", "wwm", TEXT], "not_found", "no such"),
        (["--model", "VOCABULARY", "--objective", "wwm", TEXT, "--entities", "no.txt"], "missing_file", "no.txt"),
        (["--model", "VOCABULARY", "--objective", "macbert", TEXT, "--similar", "no.tsv"], "missing_file", "no.tsv"),
        (
            ["--model", "VOCABULARY", "--objective", "wwm", TEXT, "--set", "objective.corrupt.select.rate=3"],
            "bad_setting",
            "objective.corrupt.select.rate",
        ),
    ],
    ids=["model", "objective", "unknown", "texts", "blank", "similar", "missing", "entities", "list", "setting"],
)
def test_refusals(arguments, code, told, vocabulary, capsys):
    given = [str(vocabulary) if part == "VOCABULARY" else part for part in arguments]
    refused = call(capsys, "mask", *given, "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == code
    assert told in refused.json["error"]["message"]
    assert refused.err.startswith("error: ")


def test_colours_say_what_became_of_a_token(vocabulary):
    recipe = command.chosen_recipe("wwm", str(vocabulary), entities=None, similar=None, options=HIDES_MUCH)
    ((shown,),) = command.show((TEXT,), recipe, None)
    line = command.input_line(shown)
    coloured = [line.plain[span.start : span.end] for span in line.spans if span.style]
    assert coloured == ["[MASK]"] * 9
