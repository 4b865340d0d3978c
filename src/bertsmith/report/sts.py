"""An evaluation on scored pairs as a page: correlations, published cells, how the vectors lie."""

from pathlib import Path

import numpy as np

from bertsmith.files import write_text
from bertsmith.recipes import StsResult, StsScore
from bertsmith.report.markup import Html, figure, join, paragraph, table
from bertsmith.report.page import Section, page
from bertsmith.report.plots import cosine_plot, plane_plot

_PLOTS_SHOWN = 24


def write_sts(result: StsResult, path: Path) -> None:
    """Write the page.

    Raises:
        UserError: the file cannot be written.
    """
    write_text(path, sts_page(result))


def sts_page(result: StsResult) -> str:
    """The page of an evaluation, self-contained."""
    models = list(dict.fromkeys(score.model for score in result.scores))
    sets = list(dict.fromkeys(score.data.name for score in result.scores))
    lead = paragraph(
        f"{len(models)} model(s) on {len(sets)} set(s) of scored pairs: Spearman correlation × 100 of the similarity "
        "of two vectors with the score people gave, all parts of a set joined, with 95 % bootstrap intervals."
    )
    sections = [_results(result), _means(result), _published(result), _geometry(result), _similarities(result)]
    return page("Similarity of sentences", lead, [each for each in [*sections, _subsets(result)] if each is not None])


def _results(result: StsResult) -> Section:
    header = ("#", "Set", "Model", "Vectors", "Pairs", "Spearman", "Interval", "Pearson")
    rows = [
        (
            str(number),
            score.data.name,
            score.model,
            vectors_in_words(score),
            f"{len(score.data.scores):,}",
            f"{100 * score.spearman:.2f}",
            f"{100 * score.interval[0]:.2f} to {100 * score.interval[1]:.2f}",
            f"{100 * score.pearson:.2f}",
        )
        for number, score in enumerate(result.scores, start=1)
    ]
    notes = join(*(paragraph(note) for note in result.notes))
    return Section("results", "Correlations", join(table(header, rows, caption="Scores", numbers=(0, 4, 5, 7)), notes))


def _means(result: StsResult) -> Section | None:
    if len(result.scores) < 2:
        return None
    rows = [
        (
            each.pooling if each.whitening is None else f"{each.pooling}, whitened to {each.whitening}",
            f"{100 * each.mean:.2f}",
            "–" if each.std is None else f"{100 * each.std:.2f}",
            str(len(each.values)),
        )
        for each in result.means()
    ]
    header = ("Vectors", "Mean of the sets", "Std over models", "Models")
    return Section("means", "Means", table(header, rows, caption="Means over the sets", numbers=(1, 2, 3)))


def _published(result: StsResult) -> Section | None:
    rows = dict.fromkeys(
        (score.data.known or "", cell.model, cell.pooling or "–", cell.method, f"{cell.spearman:.2f}", cell.source)
        for score in result.scores
        for cell in score.published
    )
    if not rows:
        return None
    words = (
        "Sets are recognised by their names alone. Cells of bojone/SimCSE are means over train, dev and test parts of "
        "a set, and its whitening and SimCSE were fitted on texts of the same task, test texts included."
    )
    header = ("Set", "Model", "Pooling", "Method", "Spearman", "Source")
    body = join(paragraph(words), table(header, list(rows), caption="Published", numbers=(4,)))
    return Section("published", "Published results", body)


def _geometry(result: StsResult) -> Section:
    known = [
        (number, score)
        for number, score in enumerate(result.scores, start=1)
        if not np.isnan(score.alignment + score.uniformity)
    ]
    rows = [
        (str(number), score.data.name, vectors_in_words(score), f"{score.alignment:.4f}", f"{score.uniformity:.4f}")
        for number, score in known
    ]
    words = (
        "Alignment: mean squared distance of pairs scored above four fifths of the best score. Uniformity: log of the "
        "mean of exp(−2 · squared distance) over all pairs of texts. Lower is better in both (Wang & Isola 2020). "
        "Numbers in the picture count the points of this table."
    )
    picture = plane_plot(
        np.array([score.uniformity for _, score in known]), np.array([score.alignment for _, score in known])
    )
    header = ("#", "Set", "Vectors", "Alignment", "Uniformity")
    places = table(header, rows, caption="How the vectors lie", numbers=(0, 3, 4))
    return Section("geometry", "Alignment and uniformity", join(figure(picture, words), places))


def _similarities(result: StsResult) -> Section:
    shown = result.scores[:_PLOTS_SHOWN]
    pictures = [
        figure(
            cosine_plot(f"cosines-{number}", score.data.scores, score.cosines),
            f"{number}: {score.data.name}, {vectors_in_words(score)}. Box: the middle half; line: the median.",
        )
        for number, score in enumerate(shown, start=1)
    ]
    return Section("similarities", "Similarity by score", join(*pictures))


def _subsets(result: StsResult) -> Section | None:
    rows = [
        (f"{score.data.name}: {name}", vectors_in_words(score), f"{pairs:,}", f"{100 * value:.2f}")
        for score in result.scores
        for name, (pairs, value) in score.subsets.items()
    ]
    if not rows:
        return None
    header = ("Part", "Vectors", "Pairs", "Spearman")
    return Section("parts", "Parts of the sets", table(header, rows, caption="Parts by themselves", numbers=(2, 3)))


def vectors_in_words(score: StsScore) -> Html | str:
    """Pooling and whitening."""
    white = "" if score.whitening is None else f", whitened to {score.whitening}"
    return score.pooling + white + (" (transductive)" if score.transductive else "")
