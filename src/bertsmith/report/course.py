"""How training went and what it cost."""

from bertsmith.report.markup import facts, figure, join, paragraph, table, tag
from bertsmith.report.page import Section
from bertsmith.report.plots import dev_plot, length_plot, loss_plot, rate_plot
from bertsmith.report.run import AnyReport, AnyTuned, ParameterGroup, RunReport
from bertsmith.report.wording import counted, duration, memory, metric_value, rate, share, wording

WHO = {"encoder": "the encoder alone", "ngrams": "the n-grams alone", "both": "both"}


def learning(report: AnyTuned) -> Section | None:
    """Loss, dev metric and learning rate by update."""
    if (curves := report.curves) is None or not len(curves.steps):
        return None
    figures = [figure(loss_plot(curves), "Training loss: pale by update, bold its running mean.")]
    if len(curves.dev_steps):
        best = metric_value(curves.metric, float(curves.dev.max()))
        kept = "" if curves.best_step is None else "; the marked weights were kept"
        figures.append(figure(dev_plot(curves), f"{wording(curves.metric).name} on dev, at best {best}{kept}."))
    figures.append(figure(rate_plot(curves.steps, curves.rate), "Learning rate by update."))
    return Section("learning", "Learning curves", tag("div", *figures, class_="figures"))


def joined(report: RunReport) -> Section | None:
    """What the encoder and the n-grams are worth, each alone and both together."""
    if not report.joined:
        return None
    metrics = list(next(iter(next(iter(report.joined.values())).values())))
    header = ("Who answers", *(f"{wording(metric).name} ({split})" for split in report.joined for metric in metrics))
    said = {
        who: [metric_value(metric, parts[who][metric]) for parts in report.joined.values() for metric in metrics]
        for who in WHO
    }
    lines = [(WHO[who], *values) for who, values in said.items()]
    words = (
        "A linear model of runs of tokens answers beside the encoder; dev decided how much either is heard. "
        "The learning curves are those of the encoder alone."
    )
    body = join(paragraph(words), table(header, lines, caption="Encoder and n-grams", numbers=range(1, len(header))))
    return Section("ngrams", "What n-grams add to the encoder", body)


def lengths(report: RunReport) -> Section | None:
    """How long the training texts are and where they are cut."""
    if report.lengths is None or not len(report.lengths):
        return None
    limit = report.truncation.max_length if report.truncation else None
    middle, longest = int(sorted(report.lengths)[len(report.lengths) // 2]), int(report.lengths.max())
    words = f"Half of the training texts have at most {counted(middle, 'token')}, the longest {longest:,}."
    if limit is not None:
        done = "read in parts" if report.truncation and report.truncation.whole else "shortened"
        beyond = float((report.lengths > limit).mean())
        words += f" {share(beyond)} lie beyond the dashed line at {limit:,} and are {done}."
    return Section("lengths", "Text lengths", figure(length_plot(report.lengths, limit), words))


def groups(report: AnyTuned) -> Section | None:
    """Which weights learn how fast."""
    if not report.groups:
        return None
    lines = [(_names(group), f"{group.parameters:,}", rate(group.rate), rate(group.decay)) for group in report.groups]
    header = ("Group", "Parameters", "Peak rate", "Weight decay")
    total = counted(sum(group.parameters for group in report.groups), "parameter")
    body = join(paragraph(f"{total} in all."), table(header, lines, caption="Parameter groups", numbers=(1, 2, 3)))
    return Section("groups", "Which weights learn how fast", body)


def cost(report: AnyReport) -> Section | None:
    """Time, throughput and memory."""
    if (speed := report.speed) is None:
        return None
    told = [
        ("Training time", duration(speed.seconds)),
        ("Updates", f"{speed.updates:,}"),
        ("Tokens", f"{speed.tokens:,}"),
        ("Tokens per second", f"{speed.tokens / max(speed.seconds, 1e-9):,.0f}"),
    ]
    if speed.memory is not None:
        told.append(("Peak memory", memory(speed.memory)))
    return Section("speed", "Speed", facts(told))


def _names(group: ParameterGroup) -> object:
    if not group.tensors:
        return group.name
    names = tag("code", "\n".join(group.tensors), class_="names")
    return tag("details", tag("summary", group.name), names)
