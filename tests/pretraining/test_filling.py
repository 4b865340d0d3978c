"""Guesses for holes are those of the model, and only what it sees is shown around them."""

import numpy as np
import pytest
import torch

from bertsmith.batch import pack
from bertsmith.data.shards import Annotator
from bertsmith.encoder import Bidirectional, Permutation
from bertsmith.errors import UserError
from bertsmith.pretraining.corruption import rng_for
from bertsmith.pretraining.exercise import exercise
from bertsmith.pretraining.filling import FillIn, Guess, fill_exercises, fill_texts
from bertsmith.pretraining.laying import annotated, lay_out
from bertsmith.pretraining.loss_heads import MaskedTokens, PairRelation
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import LatinSegmenter, Tokenizer

from .tiny import encoder, named
from .wordlist import write_vocabulary

SPARE = 3


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Tokenizer:
    return Tokenizer.from_folder(write_vocabulary(tmp_path_factory.mktemp("vocabulary")))


def model_of(tokenizer, *losses) -> Pretrainer:
    shape = {"vocab_size": tokenizer.vocab_size + SPARE, "hidden_dropout": 0.3}
    return Pretrainer(encoder(**shape), losses or (MaskedTokens(),), generator=torch.Generator().manual_seed(1))


def exercises_of(tokenizer, name, text="今天很好。我在火锅吃了。"):
    part = named(name).part
    run = annotated(text, Annotator(tokenizer, LatinSegmenter()))
    passage = lay_out(run, [], part.arrange, tokenizer, np.random.default_rng(0)).passage
    made = exercise(passage, part, VocabularyFacts.from_tokenizer(tokenizer), rng_for(0, 0, 0))
    return [made], part.attend


def test_guesses_are_the_best_tokens_of_the_model(tokenizer):
    model = model_of(tokenizer)
    ((first, second),) = fill_texts(model, ["今天[MASK]好。[MASK]"], tokenizer, top=4)
    ids = tokenizer.tokenize(["今天", "好。"])
    mask = [tokenizer.special.mask]
    example = tokenizer.assemble(np.concatenate([ids[0].token_ids, mask, ids[1].token_ids, mask]))
    with torch.inference_mode():
        model.eval()
        states = model.encoder(pack([example]), Bidirectional()).last
        scores = model.heads["mlm"].scores(states, model.encoder.embeddings.token.weight)
    for fill, row in ((first, 3), (second, 6)):
        chances = scores[row, : tokenizer.vocab_size].softmax(-1)
        best = chances.argsort(descending=True)[:4]
        assert [guess.token for guess in fill.guesses] == tokenizer.tokens(best.numpy())
        assert [guess.probability for guess in fill.guesses] == pytest.approx(chances[best].tolist(), rel=1e-4)
        assert fill.answer is None
        assert not fill.right
    assert (first.before, first.after) == ("今天", "好。[MASK]")
    assert (second.before, second.after) == ("今天[MASK]好。", "")


def test_looking_changes_nothing(tokenizer):
    model = model_of(tokenizer).train()
    random = torch.get_rng_state()
    once, again = (fill_texts(model, ["今[MASK]"], tokenizer) for _ in range(2))
    assert once == again
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert model.counts.take() == {}


def test_spare_rows_are_never_guessed(tokenizer):
    model = model_of(tokenizer)
    with torch.no_grad():
        model.heads["mlm"].bias[tokenizer.vocab_size :] = 100
    ((fill,),) = fill_texts(model, ["今[MASK]"], tokenizer, top=1000)
    assert len(fill.guesses) == tokenizer.vocab_size
    assert sum(guess.probability for guess in fill.guesses) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["roberta", "spanbert", "electra", "bert"])
def test_hidden_tokens_of_a_corpus_are_asked_with_their_answers(tokenizer, name):
    exercises, attend = exercises_of(tokenizer, name)
    model = model_of(tokenizer, *named(name).all_losses)
    fills = fill_exercises(model, exercises, attend, tokenizer, top=2, most=100)
    assert [fill.answer for fill in fills] == tokenizer.tokens(exercises[0].hidden.labels)
    assert all(len(fill.guesses) == 2 for fill in fills)
    assert all(fill.before or fill.after for fill in fills)
    assert len(fill_exercises(model, exercises, attend, tokenizer, most=1)) == 1


def test_a_causal_model_is_shown_what_came_before(tokenizer):
    exercises, attend = exercises_of(tokenizer, "gpt", "今天很好")
    fills = fill_exercises(model_of(tokenizer, *named("gpt").all_losses), exercises, attend, tokenizer, most=100)
    assert [(fill.before, fill.answer, fill.after) for fill in fills] == [
        ("", "今", ""),
        ("今", "天", ""),
        ("今天", "很", ""),
        ("今天很", "好", ""),
        ("今天很好", "[SEP]", ""),
    ]


def test_under_permutation_later_tokens_are_holes(tokenizer):
    text = "今天很好我在火锅吃了"
    exercises, attend = exercises_of(tokenizer, "permutation", text)
    assert isinstance(attend, Permutation)
    fills = fill_exercises(model_of(tokenizer), exercises, attend, tokenizer, most=100)
    (made,) = exercises
    first = int(np.argmin(made.order[made.hidden.rows]))
    for number, fill in enumerate(fills):
        whole = f"{fill.before}_{fill.after}"
        assert fill.answer not in whole
        assert whole.count("[MASK]") <= len(fills) - 1
        place = int(made.position_ids[made.hidden.rows[number]]) - 1
        assert text[place] == fill.answer
        if number == first:
            assert not any(other.answer in whole for other in fills)


def test_long_texts_are_shown_around_the_hole(tokenizer):
    ((fill,),) = fill_texts(model_of(tokenizer), ["今" * 28 + "[MASK]" + "天" * 28], tokenizer)
    assert fill.before == "今" * 24
    assert fill.after == "天" * 24


def test_the_best_guess_may_be_right():
    guesses = (Guess("好", 0.9), Guess("天", 0.1))
    assert FillIn("今天很", "", "好", guesses).right
    assert not FillIn("今天很", "", "天", guesses).right


def test_what_cannot_be_filled_is_refused(tokenizer, tmp_path):
    with pytest.raises(UserError, match="no hole"):
        fill_texts(model_of(tokenizer), ["今天"], tokenizer)
    maskless = Tokenizer.from_folder(write_vocabulary(tmp_path / "maskless", without="[MASK]"))
    with pytest.raises(UserError, match="no mask token"):
        fill_texts(model_of(tokenizer), ["今[MASK]"], maskless)
    with pytest.raises(UserError, match="names no tokens"):
        fill_texts(model_of(tokenizer, PairRelation()), ["今[MASK]"], tokenizer)
