"""Objectives as values: declared, readable and writable, every setting reachable, wrong ones refused."""

import pytest
import yaml

from bertsmith.config import parse_config, with_settings
from bertsmith.encoder import Causal, PrefixLM
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import DocumentSentences, FullSentences, SourceTarget
from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.loss_heads import MaskedTokens
from bertsmith.pretraining.objective import Losses, Objective, Variant
from bertsmith.pretraining.presets import OBJECTIVES


def settings(name: str, *changes: str) -> Objective:
    return parse_config(Objective, with_settings(OBJECTIVES[name].model_dump(mode="json"), changes))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_read_as_written(name):
    objective = OBJECTIVES[name]
    assert Objective.model_validate(yaml.safe_load(yaml.safe_dump(objective.model_dump(mode="json")))) == objective


def test_every_kind_of_setting_is_reached():
    assert settings("roberta", "corrupt.select.rate=0.3").corrupt.select.rate == 0.3
    assert settings("spanbert", "losses.span_boundary.longest=15").losses.span_boundary.longest == 15
    assert (
        settings("electra", "losses.replaced_tokens.generator.width=0.5").losses.replaced_tokens.generator.width == 0.5
    )
    assert settings("bert", "losses.pair_relation=null", "arrange={kind: full_sentences}").arrange == FullSentences()
    assert settings("macbert", "corrupt.replace.without_similar=random").corrupt.replace.without_similar == "random"
    assert settings("unilm", "mixture.left_to_right.share=0.5").mixture["left_to_right"].share == 0.5
    assert list(settings("unilm", "mixture.right_to_left=null").mixture) == [
        "bidirectional",
        "sequence_to_sequence",
        "left_to_right",
    ]
    assert settings("ernie", "stages.entity.share=2").stages["entity"].share == 2
    assert settings("bert", "copies=null").copies is None
    assert settings("wwm", "attend.kind=causal").attend == Causal()


def test_a_variant_changes_only_what_it_says():
    objective = OBJECTIVES["unilm"]
    source_target = dict(zip(objective.mixture, objective.parts, strict=True))["sequence_to_sequence"]
    assert source_target.attend == PrefixLM()
    assert source_target.arrange == SourceTarget()
    assert source_target.corrupt == objective.corrupt
    assert source_target.losses == Losses(masked_tokens=MaskedTokens())
    assert [loss.kind for loss in objective.all_losses] == ["masked_tokens", "pair_relation"]


def test_units_of_ernie_by_stage():
    units = [part.corrupt.select.units for part in OBJECTIVES["ernie"].parts]
    assert units == ["characters", "words", "entities"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gpt", "attend.kind=bidirectional", "next_token under bidirectional: the answer would be seen"),
        ("gpt", "losses.next_token=null", "an objective needs a loss"),
        ("roberta", "corrupt=null", "nothing is hidden"),
        ("roberta", "losses.pair_relation={}", "pair_relation needs pairs"),
        ("electra", "losses.masked_tokens={}", "replaced_tokens stands alone"),
        ("spanbert", "attend.kind=permutation", "permutation asks for hidden tokens by queries"),
        ("unilm", "mixture.left_to_right.losses.masked_tokens.weight=2", "masked_tokens with different settings"),
        ("unilm", "mixture.bidirectional.arrange={kind: block}", "pair_relation needs pairs"),
        ("unilm", "mixture.bidirectional.share=0", "greater than 0"),
        ("ernie", "mixture={one: {share: 1}}", "a mixture or stages, not both"),
        ("bert", "losses.masked_tokens.wieght=2", "losses.masked_tokens.wieght"),
    ],
)
def test_what_does_not_fit_is_refused(name, change, message):
    with pytest.raises(UserError, match=message):
        settings(name, change)


def test_values_of_the_papers():
    spanbert, macbert, electra = (OBJECTIVES[name] for name in ("spanbert", "macbert", "electra"))
    assert (spanbert.corrupt.select.length.stop, spanbert.corrupt.select.length.longest) == (0.2, 10)
    assert spanbert.corrupt.replace.each == "span"
    assert spanbert.losses.span_boundary.position_size == 200
    assert macbert.corrupt.select.length.shares == (0.4, 0.3, 0.2, 0.1)
    assert (macbert.corrupt.replace.mask, macbert.corrupt.replace.similar) == (0.0, 0.8)
    assert (electra.corrupt.replace.mask, electra.corrupt.replace.same) == (0.85, 0.15)
    assert (electra.losses.replaced_tokens.weight, electra.losses.replaced_tokens.generator.width) == (50.0, 0.25)
    assert OBJECTIVES["bert"].copies == 10
    assert [variant.share for variant in OBJECTIVES["unilm"].mixture.values()] == [1 / 3, 1 / 3, 1 / 6, 1 / 6]


def test_a_mixture_needs_no_losses_of_its_own():
    objective = Objective(
        arrange=DocumentSentences(),
        corrupt=Corruption(),
        losses=Losses(masked_tokens=MaskedTokens()),
        mixture={"a": Variant(share=1), "b": Variant(share=3, attend=Causal())},
    )
    assert [part.attend.kind for part in objective.parts] == ["bidirectional", "causal"]
