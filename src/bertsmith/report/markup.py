"""HTML that is safe by construction: whatever is not `Html` already gets escaped."""

import re
from collections.abc import Sequence
from html import escape

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"meta", "br", "hr"})


class Html(str):
    """Text that is markup already. Text from users never becomes one except through `safe`."""

    __slots__ = ()


def safe(content: object) -> Html:
    """Escape anything but `Html`."""
    if isinstance(content, Html):
        return content
    return Html(escape(printable(str(content))))


def printable(text: str) -> str:
    """Replace what no UTF-8 page can hold (controls, lone surrogates) by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """Build an element; `class_` and `aria_label` become `class` and `aria-label`, None is left out."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{safe(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{named}>")
    return Html(f"<{name}{named}>{join(*content)}</{name}>")


def join(*content: object) -> Html:
    """Put pieces next to each other."""
    return Html("".join(safe(piece) for piece in content))


def quoted(text: str, *, limit: int = 300) -> Html:
    """Show a user's text in its own writing direction, shortened to `limit` characters."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return tag("span", shown, class_="quoted", dir="auto")


def table(
    header: Sequence[object], rows: Sequence[Sequence[object]], *, caption: str, numbers: Sequence[int] = ()
) -> Html:
    """Build a table whose columns sort on a click; columns in `numbers` are aligned to the right.

    The first column names the row.
    """
    kinds = ["number" if column in numbers else None for column in range(len(header))]
    heads = (
        tag("th", tag("button", head, type="button"), scope="col", class_=kind)
        for head, kind in zip(header, kinds, strict=True)
    )
    lines = []
    for first, *others in rows:
        cells = (tag("td", cell, class_=kind) for cell, kind in zip(others, kinds[1:], strict=True))
        lines.append(tag("tr", tag("th", first, scope="row", class_=kinds[0]), *cells))
    body = tag(
        "table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *lines), class_="sortable"
    )
    return scrolling(body, caption)


def scrolling(content: Html, label: str) -> Html:
    """Let something wide scroll on its own, by keyboard too."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)


def figure(picture: Html, caption: object) -> Html:
    """Put a picture above the words that explain it."""
    return tag("figure", picture, tag("figcaption", caption))


def facts(pairs: Sequence[tuple[object, object]]) -> Html:
    """Build a list of names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def paragraph(*content: object) -> Html:
    """Build a paragraph."""
    return tag("p", *content)
