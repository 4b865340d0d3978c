"""Everything needed to get the same model again."""

import shlex
from collections.abc import Mapping, Sequence

from bertsmith.report.markup import facts, join, tag
from bertsmith.report.page import Section
from bertsmith.report.run import AnyReport


def rerun(report: AnyReport) -> Section | None:
    """The exact command, the versions it ran under, and the complete recipe."""
    return commands(report.command, report.versions, report.recipe)


def commands(command: Sequence[str], versions: Mapping[str, str], recipe: str) -> Section | None:
    """A command line, versions and a recipe, those that there are."""
    pieces = []
    if command:
        pieces.append(tag("pre", tag("code", shlex.join(command)), tabindex=0))
    if versions:
        pieces.append(facts(list(versions.items())))
    if recipe:
        text = tag("pre", tag("code", recipe), tabindex=0)
        pieces.append(tag("details", tag("summary", "The complete recipe (recipe.yaml)"), text))
    return Section("rerun", "Run it again", join(*pieces)) if pieces else None
