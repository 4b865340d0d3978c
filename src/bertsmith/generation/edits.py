"""What anyone can do without a model: the text again, with one edit. Whatever writes must be better than this."""

from random import Random


def one_edit(text: str, number: int, *, seed: int) -> list[str]:
    """Up to `number` different texts, each the text with a character dropped, doubled, or changed with the next.

    The same text and seed give the same edits. A text of few characters has few of them.
    """
    random = Random(f"{seed}:{text}")
    every = {edited for place in range(len(text)) for edited in _at(text, place)}
    possible = sorted(each for each in every if each.strip() and each != text)
    return random.sample(possible, min(number, len(possible)))


def _at(text: str, place: int) -> tuple[str, ...]:
    before, here, after = text[:place], text[place], text[place + 1 :]
    swapped = (before + after[0] + here + after[1:],) if after else ()
    return (before + after, before + here + here + after, *swapped)
