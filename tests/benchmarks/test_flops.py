import pytest

from harness.flops import amount_of, encoder_operations, pretraining_per_token, vocabulary_operations

CONFIG = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 3, "vocab_size": 10}
FACTS = {"texts": 2, "tokens": 5, "squares": 13}  # lengths 2 and 3


def by_hand(length: int) -> int:
    projections = 4 * 2 * length * 4 * 4
    feed_forward = 2 * 2 * length * 4 * 8
    attention = 2 * 2 * length * length * 4
    return 3 * (projections + feed_forward + attention)


def test_encoder_is_counted_product_by_product() -> None:
    assert encoder_operations(CONFIG, tokens=5, squares=13) == by_hand(2) + by_hand(3)


def test_law_of_the_cost_of_a_token() -> None:
    """About 2·12·layers·h²·(1 + L/(6h)) where the feed-forward is four times as wide."""
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6}
    length = 184
    found = encoder_operations(config, tokens=length, squares=length**2) / length
    assert found == pytest.approx(2 * 12 * 6 * 384**2 * (1 + length / (6 * 384)))


def test_training_is_three_times_as_much_and_copies_twice() -> None:
    encode = amount_of("encode", CONFIG, FACTS, {})
    tuned = amount_of("finetune", CONFIG, FACTS, {"epochs": 2})
    copies = amount_of("simcse", CONFIG, FACTS, {})
    assert tuned["operations"] == 2 * 3 * encode["operations"]
    assert tuned["tokens"] == 10
    assert copies["operations"] == 2 * 3 * encode["operations"]
    assert (copies["texts"], copies["tokens"]) == (2, 10)


def test_pretraining_scores_the_vocabulary_where_tokens_are_hidden() -> None:
    options = {"max_length": 6, "masked": 0.5, "objective": "mlm"}
    head = 2 * 4 * 4 + 2 * 4 * 10
    assert vocabulary_operations(CONFIG, tokens=1) == head
    assert pretraining_per_token(CONFIG, options) == pytest.approx(3 * (by_hand(6) / 6 + 0.5 * head))


def test_electra_adds_its_generator() -> None:
    options = {"max_length": 6, "masked": 0.5, "objective": "electra"}
    small = {**CONFIG, "hidden_size": 1, "intermediate_size": 4}
    generator = encoder_operations(small, tokens=6, squares=36) / 6
    head = 2 * 1 * 4 + 2 * 4 * 10
    assert pretraining_per_token(CONFIG, options) == pytest.approx(3 * (by_hand(6) / 6 + generator + 0.5 * head))


def test_writing_reads_sources_once_and_every_token_once() -> None:
    found = amount_of("generate", CONFIG, FACTS, {"samples": 3, "target": 2})
    one_token = 3 * (4 * 2 * 4 * 4 + 2 * 2 * 4 * 8) + 2 * 4 * 4 + 2 * 4 * 10
    looks = [length + step for length in (2, 3) for _ in range(3) for step in (1, 2)]
    total = by_hand(2) + by_hand(3) + len(looks) * one_token + 3 * 4 * 4 * sum(looks)
    assert found["texts"] == 6
    assert found["operations_per_token"] == pytest.approx(total / 12)


def test_other_tasks_claim_no_operations() -> None:
    assert amount_of("search", CONFIG, FACTS, {}) == {"texts": 2}
    assert amount_of("startup", CONFIG, FACTS, {}) == {}
