from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pydantic import TypeAdapter

from bertsmith.batch import Example
from bertsmith.data.shards import DOCUMENT, LINE, WORD
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import (
    Arrangement,
    Block,
    DocumentSentences,
    FullSentences,
    NextSentence,
    SentenceOrder,
    SourceTarget,
)
from bertsmith.pretraining.corruption import rng_for
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.vocabulary import VocabularyFacts
from tests.data.corpora import documents, tokenizer
from tests.pretraining.numbered import numbered, places, segments, without_segments

ALL = (FullSentences(), DocumentSentences(), Block(), NextSentence(), SentenceOrder(), SourceTarget())
RUNS = ALL[:3]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return numbered(tmp_path_factory.mktemp("corpus"), documents(150), characters=2_000)


def epoch(arrangement, shards, *, max_length=64, seed=3, number=0, made=None):
    source = arrangement.passages(shards, made or tokenizer(), max_length=max_length, seed=seed, epoch=number)
    return [source.passage(row) for row in range(len(source))]


def starts(shards, flag):
    return set(np.flatnonzero(shards.read(0, shards.tokens).flags & flag).tolist())


def consecutive(text):
    return (np.diff(text) == 1).all()


def words_of(passage):
    """The words of the texts themselves: the end of a target is one more."""
    ends = passage.words[:, 0] == len(passage) - 1
    assert not ends.any() or passage.relation is None
    return passage.words[~ends]


def named(arrangements):
    return pytest.mark.parametrize("arrangement", arrangements, ids=lambda arrangement: arrangement.kind)


@named(ALL)
def test_every_passage_is_well_formed(shards, arrangement):
    words = starts(shards, WORD)
    special = tokenizer().special
    for passage in epoch(arrangement, shards):
        assert len(passage) <= 64
        ids, where = passage.example.token_ids, places(passage)
        assert (ids[0], ids[-1]) == (special.cls, special.sep)
        assert set(ids[where < 0].tolist()) <= {special.cls, special.sep}
        covered = np.concatenate([np.arange(*word) for word in words_of(passage)])
        np.testing.assert_array_equal(covered, np.flatnonzero(where >= 0))
        assert (len(words_of(passage)) == len(passage.words)) == (arrangement.kind != "source_target")
        begun = {first for text in segments(passage) for first in (text[0], *(set(text.tolist()) & words))}
        assert set(where[words_of(passage)[:, 0]].tolist()) == begun
        assert passage.entities.shape == (0, 2)


@named(ALL)
def test_an_epoch_depends_on_seed_and_epoch_alone(shards, arrangement):
    source = arrangement.passages(shards, tokenizer(), max_length=64, seed=3, epoch=0)
    rows = list(range(len(source)))
    backwards = [source.passage(row) for row in reversed(rows)][::-1]
    first = epoch(arrangement, shards)
    assert [p.example.token_ids.tolist() for p in backwards] == [p.example.token_ids.tolist() for p in first]
    for other in (epoch(arrangement, shards, number=1), epoch(arrangement, shards, seed=4)):
        same = [
            a.example.token_ids.tolist() == b.example.token_ids.tolist() for a, b in zip(first, other, strict=False)
        ]
        assert np.mean(same) < 0.1
    for row in (-1, len(source)):
        with pytest.raises(IndexError):
            source.passage(row)


@named(RUNS)
@pytest.mark.parametrize("max_length", [7, 64, 1000])
def test_no_token_is_lost_and_none_comes_twice(shards, arrangement, max_length):
    passages = epoch(arrangement, shards, max_length=max_length)
    used = np.concatenate([places(passage) for passage in passages])
    np.testing.assert_array_equal(np.sort(used[used >= 0]), np.arange(shards.tokens))
    assert all(passage.relation is None and not passage.example.segment_ids.any() for passage in passages)


@pytest.mark.parametrize("arrangement", [FullSentences(), DocumentSentences()], ids=["full", "document"])
def test_whole_sentences_until_no_more_fit(shards, arrangement):
    sentences, opened = sorted(starts(shards, LINE)), starts(shards, DOCUMENT)
    ends = dict(pairwise([*sentences, shards.tokens]))
    borders = set(shards.bounds.tolist())
    for passage in epoch(arrangement, shards):
        text = np.concatenate(segments(passage))
        assert consecutive(text)
        first, stop = int(text[0]), int(text[-1]) + 1
        assert {first, stop} <= {*sentences, shards.tokens}
        if stop in borders or (arrangement.kind == "document_sentences" and stop in opened):
            continue
        assert len(passage) + ends[stop] - stop + (stop in opened) > 64


def test_full_sentences_put_a_separator_between_documents(shards):
    opened = starts(shards, DOCUMENT)
    crossings = 0
    for passage in epoch(FullSentences(), shards):
        texts = segments(passage)
        crossings += len(texts) - 1
        assert {int(text[0]) for text in texts[1:]} == opened & set(np.concatenate(texts)[1:].tolist())
        assert (places(passage) < 0).sum() == len(texts) + 1
    assert crossings > 50


@pytest.mark.parametrize("arrangement", [DocumentSentences(), Block()], ids=["document", "block"])
def test_others_never_cross_documents(shards, arrangement):
    opened = starts(shards, DOCUMENT)
    for passage in epoch(arrangement, shards):
        (text,) = segments(passage)
        assert not opened & set(text[1:].tolist())


def test_blocks_are_full_but_at_the_end_of_a_document(shards):
    ends = starts(shards, DOCUMENT) | set(shards.bounds.tolist())
    passages = epoch(Block(), shards, max_length=32)
    assert all(len(passage) == 32 or places(passage)[-2] + 1 in ends for passage in passages)


def pairs_of(passages):
    for passage in passages:
        first, second = segments(passage)
        assert consecutive(first)
        assert consecutive(second)
        yield first, second, passage.relation


def document_of(shards, text):
    opened = np.array(sorted(starts(shards, DOCUMENT) | set(shards.bounds.tolist())))
    first, last = np.searchsorted(opened, [text[0], text[-1]], side="right")
    assert first == last
    return int(first)


def test_next_sentence_takes_the_next_or_one_of_another_document(shards):
    """Half of the pairs are random, beside those whose first segment is the last sentence of its document."""
    relations = []
    lines = starts(shards, LINE)
    ends = starts(shards, DOCUMENT) | {shards.tokens}
    for first, second, relation in pairs_of(epoch(NextSentence(short_share=0), shards, max_length=5000)):
        assert (document_of(shards, first) != document_of(shards, second)) == relation
        assert relation or second[0] == first[-1] + 1
        alone = len(lines & set(first.tolist())) == 1 and first[-1] + 1 in ends
        assert relation or not alone
        relations += [] if alone else [relation]
    assert len(relations) > 150
    assert 0.4 < np.mean(relations) < 0.6


def test_random_second_segments_come_from_everywhere(shards):
    pairs = pairs_of(epoch(NextSentence(short_share=0), shards, max_length=5000))
    seconds = [second for _, second, relation in pairs if relation]
    assert len({document_of(shards, second) for second in seconds}) > 50
    assert {int(second[0]) for second in seconds} <= starts(shards, LINE)


def test_what_a_random_segment_stood_in_for_comes_next(shards):
    """With room for the longest document nothing is shortened, and so nothing is lost."""
    arrangement = NextSentence(short_share=0)
    used = []
    for first, second, relation in pairs_of(epoch(arrangement, shards, max_length=5000)):
        used.append(first if relation else np.concatenate([first, second]))
    np.testing.assert_array_equal(np.sort(np.concatenate(used)), np.arange(shards.tokens))


def test_sentence_order_swaps_half_of_the_pairs(shards):
    found = {"next": 0, "swapped": 0, "alone": 0}
    lines = starts(shards, LINE)
    for first, second, relation in pairs_of(epoch(SentenceOrder(short_share=0), shards, max_length=5000)):
        if document_of(shards, first) != document_of(shards, second):
            kind = "alone"
            assert len(lines & set(first.tolist())) == 1
        else:
            kind = "next" if first[0] < second[0] else "swapped"
            earlier, later = sorted((first, second), key=lambda text: text[0])
            assert later[0] == earlier[-1] + 1
        assert relation == (kind != "next")
        found[kind] += 1
    assert min(found.values()) > 0
    assert 0.35 < found["swapped"] / (found["next"] + found["swapped"]) < 0.65


def test_source_and_target_follow_each_other_in_segments_zero_and_one(shards):
    for made in (tokenizer(), without_segments()):
        used = []
        for passage in epoch(SourceTarget(), shards, max_length=5000, made=made):
            source, target = segments(passage)
            assert passage.relation is None
            assert target[0] == source[-1] + 1
            segment = passage.example.segment_ids
            assert (np.diff(segment) >= 0).all()
            assert segment.sum() == len(target) + 1
            assert passage.words[-1].tolist() == [len(passage) - 1, len(passage)]
            used += [source, target]
        used = np.sort(np.concatenate(used))
        assert len(set(used.tolist())) == len(used) >= shards.tokens - 20


def test_of_separators_only_the_end_of_a_target_is_asked_for(shards):
    sequences = OBJECTIVES["unilm"].mixture["sequence_to_sequence"].arrange
    vocabulary, separator = VocabularyFacts.from_tokenizer(tokenizer()), tokenizer().special.sep
    asked = set()
    for row, passage in enumerate(epoch(sequences, shards)):
        ids, segment = np.minimum(passage.example.token_ids, vocabulary.vocab_size - 1), passage.example.segment_ids
        known = replace(passage, example=Example(ids, segment))
        corrupted = OBJECTIVES["unilm"].corrupt.corrupt(known, vocabulary, rng_for(0, 0, row))
        asked |= {int(place) - len(passage) for place in corrupted.targets[corrupted.labels == separator]}
    assert asked == {-1}


@named(ALL)
def test_other_templates_keep_words_in_place(shards, arrangement):
    for passage in epoch(arrangement, shards, made=without_segments()):
        assert len(passage) <= 64
        covered = np.concatenate([np.arange(*word) for word in words_of(passage)])
        np.testing.assert_array_equal(covered, np.flatnonzero(places(passage) >= 0))


@named([NextSentence(), SentenceOrder(), SourceTarget(short_share=0.1)])
def test_one_document_in_ten_is_cut_short(shards, arrangement):
    always = epoch(arrangement.but(short_share=1.0), shards, max_length=40)
    never = epoch(arrangement.but(short_share=0.0), shards, max_length=40)
    some = epoch(arrangement, shards, max_length=40)
    lengths = [np.mean([len(passage) for passage in passages]) for passages in (always, some, never)]
    assert lengths == sorted(lengths)
    assert lengths[0] < 0.85 * lengths[2]


def test_what_cannot_be_arranged_is_refused(shards, tmp_path):
    with pytest.raises(UserError, match="leaves room for 1 tokens"):
        epoch(FullSentences(), shards, max_length=3)
    alone = numbered(tmp_path, [["北京大学。今天天气好。我们研究生命。"]])
    with pytest.raises(UserError, match="only one"):
        epoch(NextSentence(), alone)
    assert len(epoch(SentenceOrder(), alone)) == 1


def test_arrangements_are_written_by_their_kind():
    adapter = TypeAdapter(Arrangement)
    for arrangement in ALL:
        assert adapter.validate_python(arrangement.model_dump()) == arrangement
