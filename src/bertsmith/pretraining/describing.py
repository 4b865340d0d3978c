"""An objective in words, for reports and for people who look at one."""

from collections.abc import Iterator, Mapping

from bertsmith.pretraining.corruption import Corruption
from bertsmith.pretraining.lengths import Geometric, Length, Ngrams, One, Repeated, Spaced
from bertsmith.pretraining.objective import Objective, Part
from bertsmith.pretraining.replacement import KINDS, Replace
from bertsmith.pretraining.units import UnitKind

_BECOMES = {"mask": "[MASK]", "random": "a random token", "same": "left as it is", "similar": "a similar word"}
_UNITS: Mapping[UnitKind, str] = {
    "tokens": "single tokens",
    "characters": "Chinese characters and whole other words",
    "words": "whole words",
    "entities": "whole phrases, names and words",
}


def described(part: Part) -> dict[str, str]:
    """What a part makes of a text: how it is laid out, what is hidden, who sees whom, what is asked."""
    losses = (loss.kind.replace("_", " ") for loss in part.losses.chosen)
    return {
        "Texts": part.arrange.kind.replace("_", " "),
        "Hidden": "nothing" if part.corrupt is None else _hidden(part.corrupt),
        **({} if part.corrupt is None else {"Replaced by": _replaced(part.corrupt.replace)}),
        "Attention": part.attend.kind.replace("_", " "),
        "Asked": ", ".join(losses),
    }


def in_words(objective: Objective) -> dict[str, str]:
    """The same of a whole objective; where it has variants, what is their own stands under their names."""
    told = described(objective.part)
    named = parts_by_name(objective)
    if len(named) > 1:
        every = [described(part).items() for part in named.values()]
        told = {key: value for key, value in told.items() if all((key, value) in each for each in every)}
        told |= {name: "; ".join(_own(part, told)) for name, part in named.items()}
    if objective.copies:
        told["Copies"] = f"{objective.copies} of the corpus, corrupted once each"
    return told


def parts_by_name(objective: Objective) -> dict[str, Part]:
    """Every part under the name of its variant with its share; a single one under the empty name."""
    variants = objective.mixture or objective.stages
    total = sum(variant.share for variant in variants.values())
    of = "of the texts" if objective.mixture else "of the run"
    names = [f"{name} ({100 * variant.share / total:.0f} % {of})" for name, variant in variants.items()]
    return dict(zip(names or [""], objective.parts, strict=True))


def _own(part: Part, common: Mapping[str, str]) -> Iterator[str]:
    for key, value in described(part).items():
        if key not in common:
            yield f"{key.lower()}: {value}"


def _hidden(corrupt: Corruption) -> str:
    select = corrupt.select
    return f"{100 * select.rate:.3g} % of the tokens, as {_UNITS[select.units]}{_lengths(select.length)}"


def _lengths(length: Length) -> str:
    match length:
        case One():
            return ""
        case Repeated():
            return ", drawn with replacement"
        case Ngrams(shares=shares):
            told = "/".join(f"{100 * share / sum(shares):.0f}" for share in shares)
            return f", in stretches of 1 to {len(shares)} ({told} %)"
        case Geometric(stop=stop, longest=longest):
            return f", in spans of 1 to {longest} (geometric, {stop:g})"
        case Spaced(longest=longest):
            return f", in stretches of 1 to {longest}, one in every context"


def _replaced(replace: Replace) -> str:
    shares = ((getattr(replace, kind), _BECOMES[kind]) for kind in KINDS)
    told = ", ".join(f"{share * 100:.3g} % {name}" for share, name in shares if share)
    return f"{told}; drawn for each {replace.each}"
