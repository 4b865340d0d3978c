"""What `mask` shows is what training does, in names of tokens."""

import numpy as np
import pytest

from bertsmith.data.shards import Annotator
from bertsmith.errors import UserError
from bertsmith.pretraining.describing import described, in_words
from bertsmith.pretraining.objective import Objective
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.showing import GENERATED, NOTHING, Showing, Shown
from bertsmith.text import ChineseSegmenter, Tokenizer
from bertsmith.text.entities import EntityLexicon
from bertsmith.text.similar import SimilarWords

from .tiny import named
from .wordlist import TEXT, WORDS, write_vocabulary

PIECES = [piece for word in WORDS for piece in word]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Tokenizer:
    return Tokenizer.from_folder(write_vocabulary(tmp_path_factory.mktemp("vocabulary")))


def showing(tokenizer, objective: str | Objective, *, seed=0, similar=None, entities=()) -> Showing:
    lexicon = EntityLexicon(entities) if entities else None
    chosen = named(objective) if isinstance(objective, str) else objective
    return Showing(chosen, Annotator(tokenizer, ChineseSegmenter(), lexicon), similar, seed)


def one(tokenizer, objective, text=TEXT, **options) -> Shown:
    ((shown,),) = showing(tokenizer, objective, **options).show([text])
    return shown


def often(objective: Objective, rate=0.4) -> Objective:
    return objective.but(corrupt=objective.corrupt.but(select=objective.corrupt.select.but(rate=rate)))


@pytest.mark.parametrize("seed", range(12))
def test_whole_words_of_mixed_text_are_hidden_whole(tokenizer, seed):
    shown = one(tokenizer, often(OBJECTIVES["wwm"]), seed=seed)
    assert shown.tokens == ("[CLS]", *PIECES, "[SEP]")
    assert [list(shown.tokens[start:end]) for start, end in shown.words] == WORDS
    hidden = {target.position for target in shown.targets}
    assert hidden
    for start, end in shown.words:
        assert hidden.isdisjoint(range(start, end)) or hidden.issuperset(range(start, end))


def test_the_hidden_words_differ_by_seed_and_meet_every_word(tokenizer):
    drawn = [one(tokenizer, often(OBJECTIVES["wwm"]), seed=seed) for seed in range(40)]
    assert len({shown.input for shown in drawn}) > 30
    assert {target.position for shown in drawn for target in shown.targets} == set(range(1, len(PIECES) + 1))
    again = one(tokenizer, often(OBJECTIVES["wwm"]), seed=3)
    assert again == drawn[3]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_targets_say_what_stood_there_and_what_stands_there(tokenizer, name):
    for seed in range(5):
        for shown in showing(tokenizer, name, seed=seed).show([TEXT + "今天很好。明天呢？"])[0]:
            assert shown.targets
            becomes = {target.asked_at: target for target in shown.targets}
            for target in shown.targets:
                assert shown.tokens[target.position] == target.token
                assert (target.kind, shown.input[target.asked_at]) in {
                    ("mask", "[MASK]"),
                    ("query", "[MASK]"),
                    ("same", target.token),
                } or target.kind in {"random", "degraded", "next"}
            untouched = [place for place in range(len(shown.tokens)) if place not in becomes]
            assert all(shown.input[place] == shown.tokens[place] for place in untouched)
            assert len(shown.segments) == len(shown.input)


def test_similar_words_are_named(tokenizer):
    similar = SimilarWords({"火锅": ["今天"], "真的": ["很好"], "我": ["在"]}).in_tokens(tokenizer)
    replace = {"mask": 0.0, "similar": 1.0, "random": 0.0, "same": 0.0, "each": "unit"}
    objective = OBJECTIVES["wwm"].but(corrupt={"select": {"units": "words", "rate": 1.0}, "replace": replace})
    shown = one(tokenizer, objective, similar=similar)
    put = {target.token: (target.kind, shown.input[target.position]) for target in shown.targets}
    assert put["火"] == ("similar", "今")
    assert put["锅"] == ("similar", "天")
    assert put["真"] == ("similar", "很")
    assert put["我"] == ("similar", "在")
    assert put["吃"][0] == "degraded"


def test_macbert_without_similar_words_is_refused(tokenizer):
    with pytest.raises(UserError, match="no list of them") as refusal:
        showing(tokenizer, OBJECTIVES["macbert"]).show([TEXT])
    assert refusal.value.code == "no_similar_words"


def test_stages_are_shown_each(tokenizer):
    shown = showing(tokenizer, "ernie", entities=["2026年"], seed=1)
    stages = shown.show([TEXT])[0]
    assert [each.variant for each in stages] == ["basic", "phrase", "entity"]
    assert [shown.show([TEXT], "phrase")[0]] == [[stages[1]]]
    drawn = [showing(tokenizer, "ernie", entities=["2026年"], seed=seed).show([TEXT], "entity") for seed in range(30)]
    place = PIECES.index("202") + 1
    hidden = [{target.position for target in each.targets} & {place, place + 1, place + 2} for ((each,),) in drawn]
    assert {len(places) for places in hidden} == {0, 3}


def test_an_unknown_variant_is_refused(tokenizer):
    with pytest.raises(UserError, match="basic, phrase, entity"):
        showing(tokenizer, "ernie").show([TEXT], "phrases")
    with pytest.raises(UserError, match="treated alike"):
        showing(tokenizer, "wwm").show([TEXT], "phrase")


def test_sentences_make_the_pair(tokenizer):
    relations = set()
    for seed in range(20):
        shown = one(tokenizer, "albert", "今天很好。明天呢？", seed=seed)
        halves = [list("今天很好。"), list("明天呢？")]
        relations.add(shown.relation)
        if shown.relation == "swapped":
            halves.reverse()
        assert list(shown.tokens) == ["[CLS]", *halves[0], "[SEP]", *halves[1], "[SEP]"]
        assert shown.segments == (0,) * (len(halves[0]) + 2) + (1,) * (len(halves[1]) + 1)
    assert relations == {"in order", "swapped"}


def test_random_second_segments_come_from_other_texts(tokenizer):
    texts = ["今天很好。明天呢？", "我在火锅。吃了！"]
    seen = set()
    for seed in range(20):
        shown = showing(tokenizer, "bert", seed=seed).show(texts)[0][0]
        second = "".join(shown.tokens[shown.segments.index(1) : -1])
        seen.add((shown.relation, second))
    assert seen == {("next", "明天呢？"), ("random", "吃了！")}
    alone = [one(tokenizer, "bert", texts[0], seed=seed) for seed in range(20)]
    assert {shown.relation for shown in alone} == {"next"}
    assert any("give more texts" in note for shown in alone for note in shown.notes)


def test_a_single_sentence_is_parted_between_words(tokenizer):
    shown = one(tokenizer, "bert", "我在火锅吃了")
    assert any("single sentence" in note for note in shown.notes)
    inner = [shown.tokens[start:end] for start, end in shown.words]
    assert ("火", "锅") in inner
    lonely = one(tokenizer, "bert", "我")
    assert lonely.relation is None
    assert lonely.tokens == ("[CLS]", "我", "[SEP]")
    assert "no pair" in lonely.notes[0]


def test_spans_have_the_borders_they_are_told_from(tokenizer):
    met = 0
    for seed in range(10):
        shown = one(tokenizer, often(OBJECTIVES["spanbert"], 0.2), seed=seed)
        for span in shown.spans:
            inside = {target.position for target in shown.targets}
            assert inside.issuperset(range(span.start, span.end))
            assert not {span.start - 1, span.end} & inside
            at_edge = span.start == 1 or span.end == len(shown.tokens) - 1
            assert span.borders == (None if at_edge else (span.start - 1, span.end))
            met += not at_edge
    assert met > 3


def test_permutation_shows_queries_and_their_order(tokenizer):
    shown = one(tokenizer, "permutation")
    length = len(shown.tokens)
    assert shown.input[:length] == shown.tokens
    assert set(shown.input[length:]) == {"[MASK]"}
    assert sorted(shown.order) == [target.position for target in shown.targets]
    assert {target.kind for target in shown.targets} == {"query"}
    sees = np.array(shown.sees, dtype=bool)
    rank = {position: number for number, position in enumerate(shown.order)}
    for query in shown.targets:
        for key in shown.targets:
            earlier = rank[key.position] < rank[query.position]
            assert sees[query.asked_at, key.position] == earlier
            assert sees[query.asked_at, key.asked_at] == (query == key)


def test_unilm_shows_who_sees_whom(tokenizer):
    variants = {shown.variant: shown for shown in showing(tokenizer, "unilm").show(["今天很好。明天呢？"])[0]}
    assert variants["bidirectional"].sees is None
    assert "sees" not in variants["bidirectional"].to_json()
    size = len(variants["left_to_right"].input)
    assert np.array_equal(variants["left_to_right"].sees, np.tril(np.ones((size, size))))
    assert np.array_equal(variants["right_to_left"].sees, np.triu(np.ones((size, size))))
    prefix = variants["sequence_to_sequence"]
    source = prefix.segments.count(0)
    seen = np.array(prefix.sees)
    assert seen[:source].sum() == source * source
    assert np.array_equal(seen[source:, source:], np.tril(seen[source:, source:]))


def test_every_token_is_asked_of_gpt_by_the_one_before(tokenizer):
    shown = one(tokenizer, "gpt")
    assert [(target.position, target.asked_at) for target in shown.targets] == [
        (place, place - 1) for place in range(1, len(shown.tokens))
    ]
    assert {target.kind for target in shown.targets} == {"next"}


def test_electra_says_that_these_are_holes(tokenizer):
    assert one(tokenizer, "electra").notes == (GENERATED,)


def test_documents_of_a_text_are_kept_apart(tokenizer):
    assert one(tokenizer, "roberta", "今天\n很好").tokens == ("[CLS]", *"今天很好", "[SEP]")
    assert one(tokenizer, "roberta", "今天\n\n很好").tokens == ("[CLS]", "今", "天", "[SEP]", "很", "好", "[SEP]")


def test_what_cannot_be_hidden_is_said(tokenizer):
    assert one(tokenizer, "wwm", "龘龘").notes == (NOTHING,)
    for text in ("", " \n ", "\u200b"):
        with pytest.raises(UserError, match="no token") as refusal:
            showing(tokenizer, "wwm").show([text])
        assert refusal.value.code == "blank_text"


@pytest.mark.parametrize("name", ["roberta", "permutation"])
def test_without_a_mask_token_it_is_refused(tmp_path, name):
    folder = write_vocabulary(tmp_path / "maskless", without="[MASK]")
    with pytest.raises(UserError, match="no mask token") as refusal:
        one(Tokenizer.from_folder(folder), name)
    assert refusal.value.code == "no_mask_token"


def test_json_has_the_keys_of_the_contract(tokenizer):
    told = one(tokenizer, "spanbert").to_json()
    assert {"tokens", "input", "targets"} <= set(told)
    assert all(set(target) == {"position", "asked_at", "token", "kind"} for target in told["targets"])
    assert all({"start", "end"} <= set(span) for span in told["spans"])
    assert "variant" not in told


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_can_be_put_into_words(name):
    objective = OBJECTIVES[name]
    told = in_words(objective)
    assert all(isinstance(value, str) and value for value in told.values())
    for variant in (*objective.mixture, *objective.stages):
        assert any(key.startswith(variant) for key in told)
    assert set(described(objective.part)) >= {"Texts", "Hidden", "Attention", "Asked"}


def test_words_name_the_values():
    assert in_words(OBJECTIVES["spanbert"]) == {
        "Texts": "block",
        "Hidden": "15 % of the tokens, as whole words, in spans of 1 to 10 (geometric, 0.2)",
        "Replaced by": "80 % [MASK], 10 % a random token, 10 % left as it is; drawn for each span",
        "Attention": "bidirectional",
        "Asked": "masked tokens, span boundary",
    }
    assert in_words(OBJECTIVES["bert"])["Copies"].startswith("10 ")
    assert "sequence_to_sequence (33 % of the texts)" in in_words(OBJECTIVES["unilm"])
    assert "(55/27/18 %)" in in_words(OBJECTIVES["albert"])["Hidden"]
