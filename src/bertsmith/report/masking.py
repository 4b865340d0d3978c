"""What an objective makes of texts, as a page."""

from collections.abc import Iterator, Mapping, Sequence

from bertsmith.pretraining.showing import Shown, ShownTarget
from bertsmith.report.markup import Html, facts, figure, join, paragraph, quoted, table, tag
from bertsmith.report.page import Section, page

KINDS = {
    "mask": "hidden by [MASK]",
    "random": "replaced by a random token",
    "same": "asked, but left as it is",
    "similar": "replaced by a similar word",
    "degraded": "random, since there was no similar word",
    "query": "asked by a token of its own",
}
"""What may have become of a token, in words; the names are those of `ShownTarget.kind`, and CSS classes."""
_MOST_SEEN = 96


def mask_page(objective: str, words: Mapping[str, str], texts: Sequence[str], shown: Sequence[Sequence[Shown]]) -> str:
    """Write one self-contained page; `words` describe the objective, `shown` has the variants of every text."""
    lead = join(paragraph("Hold the pointer over a token to see what became of it."), facts(list(words.items())))
    sections = [_section(number, text, each) for number, (text, each) in enumerate(zip(texts, shown, strict=True), 1)]
    return page(f"The objective {objective}, by example", join(lead, _legend(shown)), sections)


def _legend(shown: Sequence[Sequence[Shown]]) -> Html:
    used = {target.kind for each in shown for one in each for target in one.targets}
    names = (tag("span", words, class_=f"token {kind}") for kind, words in KINDS.items() if kind in used)
    return tag("p", *(join(name, " ") for name in names), class_="tokens")


def _section(number: int, text: str, shown: Sequence[Shown]) -> Section:
    short = len(text) <= 40
    whole = "" if short else paragraph(quoted(text, limit=2000))
    title = text if short else text[:39] + "…"
    return Section(f"text-{number}", title, join(whole, *map(_variant, shown)))


def _variant(shown: Shown) -> Html:
    pieces = [tag("h3", shown.variant)] if shown.variant else []
    pieces += [tag("p", note, class_="remark") for note in shown.notes]
    told = {"Pair": shown.relation, "Order of prediction": " ".join(map(str, shown.order))}
    if any(told.values()):
        pieces.append(facts([(name, value) for name, value in told.items() if value]))
    pieces.append(tag("p", *_tokens(shown), class_="tokens", dir="auto"))
    if shown.sees is not None and len(shown.sees) <= _MOST_SEEN:
        pieces.append(
            figure(_seen(shown.sees), "Who sees whom: a row for every token, dark where it sees that column.")
        )
    pieces.append(_table(shown))
    return join(*pieces)


def _tokens(shown: Shown) -> Iterator[Html]:
    becomes = _by_place(shown.targets)
    words = {start for start, _ in shown.words}
    for place, name in enumerate(shown.input):
        target = becomes.get(place)
        kind = f"token {target.kind}" if target else "token"
        if place in words:
            kind += " first"
        if shown.segments[place]:
            kind += " second"
        title = f"{place}: {target.token}, {KINDS[target.kind]}" if target else str(place)
        yield join(tag("span", name, class_=kind, title=title), " ")


def _by_place(targets: Sequence[ShownTarget]) -> dict[int, ShownTarget]:
    return {target.asked_at: target for target in targets if target.kind in KINDS}


def _table(shown: Shown) -> Html:
    if not shown.targets:
        return join()
    header = ("Position", "Asked at", "Token", "In its place", "Kind")
    rows = [
        (str(each.position), str(each.asked_at), each.token, _in_place(shown, each), each.kind)
        for each in shown.targets
    ]
    answers = table(header, rows, caption="What the encoder is asked", numbers=(0, 1))
    return tag("details", tag("summary", f"{len(rows)} targets"), answers)


def _in_place(shown: Shown, target: ShownTarget) -> str:
    return shown.input[target.asked_at] if target.kind in KINDS else ""


def _seen(sees: Sequence[Sequence[int]]) -> Html:
    """A picture with a stripe for every run of columns that a row sees."""
    size = len(sees)
    stripes = (
        tag("rect", x=start, y=row, width=stop - start, height=1, fill="var(--accent)")
        for row, columns in enumerate(sees)
        for start, stop in _runs(columns)
    )
    box = f"-0.5 -0.5 {size + 1} {size + 1}"
    return tag(
        "svg",
        *stripes,
        class_="seen",
        shape_rendering="crispEdges",
        role="img",
        aria_label="Attention mask",
        viewBox=box,
    )


def _runs(columns: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for place in range(1, len(columns) + 1):
        if place == len(columns) or columns[place] != columns[start]:
            if columns[start]:
                yield start, place
            start = place
