"""Everything needed to get the same model again."""

import shlex

from bertsmith.report.markup import facts, join, tag
from bertsmith.report.page import Section
from bertsmith.report.run import AnyReport


def rerun(report: AnyReport) -> Section | None:
    """The exact command, the versions it ran under, and the complete recipe."""
    pieces = []
    if report.command:
        pieces.append(tag("pre", tag("code", shlex.join(report.command)), tabindex=0))
    if report.versions:
        pieces.append(facts(list(report.versions.items())))
    if report.recipe:
        recipe = tag("pre", tag("code", report.recipe), tabindex=0)
        pieces.append(tag("details", tag("summary", "The complete recipe (recipe.yaml)"), recipe))
    return Section("rerun", "Run it again", join(*pieces)) if pieces else None
