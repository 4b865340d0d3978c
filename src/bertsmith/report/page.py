"""One self-contained page: styles, script and pictures inside, nothing fetched, nothing sent."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from bertsmith.report.markup import Html, join, tag


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a page; `anchor` is its address within the page."""

    anchor: str
    title: str
    body: Html


def page(title: str, lead: Html, sections: Sequence[Section]) -> str:
    """Put a title, what matters most, and sections with a table of contents on one page."""
    script = Html(_asset("page.js"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("title", title),
        tag("style", Html(_asset("page.css"))),
    )
    header = tag("header", tag("h1", title, dir="auto"), lead)
    body = tag("body", header, _contents(sections), tag("main", *map(_section, sections)), tag("script", script))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _section(section: Section) -> Html:
    heading = tag("h2", section.title, id=f"{section.anchor}-title")
    return tag("section", heading, section.body, id=section.anchor, aria_labelledby=f"{section.anchor}-title")


def _contents(sections: Sequence[Section]) -> Html:
    links = (tag("a", section.title, href=f"#{section.anchor}") for section in sections)
    return tag("nav", join(*links), aria_label="Contents")


def _policy(script: Html) -> str:
    """Only this page's own script runs, so that no text of a user ever can."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _asset(name: str) -> str:
    return files("bertsmith.report").joinpath(name).read_text(encoding="utf-8")
