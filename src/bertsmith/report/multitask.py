"""The report and the model card of a run over several tasks: what tasks share, then each by itself."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from bertsmith.finetuning import Fixed, Temperature
from bertsmith.recipes import FinetuneResult, MultiTaskResult, recipe_yaml
from bertsmith.report.card import limits, metric_table, origin
from bertsmith.report.course import cost, groups, learning
from bertsmith.report.finetuning import base_model, curves_of, finetune_report, group_rows, language_of, peak_memory
from bertsmith.report.finetuning import versions as all_versions
from bertsmith.report.markdown import code, inline
from bertsmith.report.markup import Html, facts, join, paragraph, printable, table, tag
from bertsmith.report.overview import headline, notices, sentences
from bertsmith.report.page import Section, page
from bertsmith.report.render import OF_A_TASK
from bertsmith.report.rerun import rerun
from bertsmith.report.run import Curves, Notice, ParameterGroup, RunReport, Speed
from bertsmith.report.wording import counted, metric_value, wording


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTaskReport:
    """A run over several tasks; `tasks` and `final` hold what the report of a single task would be made of."""

    title: str
    model: str
    tasks: Mapping[str, RunReport]
    metrics: Mapping[str, str]
    final: Mapping[str, RunReport] = field(default_factory=dict)
    setup: Mapping[str, str] = field(default_factory=dict)
    updates: Mapping[str, int] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    curves: Curves | None = None
    groups: Sequence[ParameterGroup] = ()
    speed: Speed | None = None
    command: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    language: str | None = None
    base_model: str | None = None


def multitask_report(result: MultiTaskResult, *, log: Path, command: Sequence[str]) -> MultiTaskReport:
    """Gather the report of a run; the curves come from its `log.jsonl`."""
    recipe, training = result.recipe, result.training
    texts = [record.text for one in result.tasks.values() for record in one.splits.train.records[:100]]
    return MultiTaskReport(
        title=f"Several tasks: {', '.join(result.tasks)}",
        model=recipe.start.model or f"{recipe.start.encoder} (random weights)",
        tasks={name: _one(name, one, log) for name, one in result.tasks.items()},
        final={name: finetune_report(one, log=None, command=command) for name, one in result.final.items()},
        metrics={name: task.metric for name, task in recipe.tasks.items()},
        updates=result.updates,
        setup={
            "Seed": str(recipe.seed),
            "Device": str(result.device),
            "Precision": recipe.precision,
            "Epochs": f"{training.epochs:g}",
            "Updates shared out": _sampling(result),
            "Stopped early": "yes" if training.stopped_early else "no",
        },
        notices=[Notice(level="info", what=note) for note in result.notes],
        curves=curves_of(log, recipe.selection.metric, training.best_step),
        groups=group_rows(result.groups),
        speed=Speed(
            seconds=float(training.seconds), tokens=training.tokens, updates=training.steps, memory=peak_memory()
        ),
        command=command,
        versions=all_versions(),
        recipe=recipe_yaml(recipe),
        language=language_of(texts),
        base_model=base_model(recipe.start),
    )


def _one(name: str, result: FinetuneResult, log: Path) -> RunReport:
    """What belongs to one task; of the course of all, its own losses and figures."""
    metric, best = result.recipe.selection.metric, result.training.best_step
    return replace(finetune_report(result, log=None, command=()), curves=curves_of(log, metric, best, task=name))


def _sampling(result: MultiTaskResult) -> str:
    match result.recipe.sampling:
        case Temperature(temperature=temperature):
            return f"by size, at temperature {temperature:g}"
        case Fixed():
            return "by hand"
    return "by size"


def multitask_page(report: MultiTaskReport) -> str:
    """Write the report of a run over several tasks as one HTML page."""
    told = [
        notices(report),
        _story(report),
        *(_task(name, one) for name, one in report.tasks.items()),
        _final(report),
        learning(report),
        groups(report),
        cost(report),
        rerun(report),
    ]
    return page(report.title, _lead(report), [section for section in told if section is not None])


def _lead(report: MultiTaskReport) -> Html:
    """Each task's own metric on its most held-out part, at a glance."""
    about = tag("p", f"several tasks · {report.model} · {counted(len(report.tasks), 'task')}", class_="about")
    splits = [name for name in ("test", "dev") if all(_has(one, name) for one in report.tasks.values())]
    rows = [
        (tag("a", name, href=f"#task-{name}"), one.task, wording(report.metrics[name]).name, *_values(report, name))
        for name, one in report.tasks.items()
    ]
    header = ("Task", "Kind", "Metric", *splits)
    numbers = tuple(range(3, 3 + len(splits)))
    means = {split: _mean(report, split) for split in splits}
    told = ", ".join(f"{value:.4f} on {split}" for split, value in means.items())
    return join(
        about,
        table(header, rows, caption="How good each task is", numbers=numbers),
        paragraph(f"The mean of these metrics is {told}.") if told else "",
    )


def _values(report: MultiTaskReport, name: str) -> tuple[str, ...]:
    metric, one = report.metrics[name], report.tasks[name]
    found: dict[str, float] = {split.name: split.metrics[metric] for split in one.splits}
    shown = [split for split in ("test", "dev") if all(_has(each, split) for each in report.tasks.values())]
    return tuple(metric_value(metric, found[split]) for split in shown)


def _has(report: RunReport, name: str) -> bool:
    return any(split.name == name for split in report.splits)


def _mean(report: MultiTaskReport, name: str) -> float:
    values = [
        split.metrics[report.metrics[task]]
        for task, one in report.tasks.items()
        for split in one.splits
        if split.name == name
    ]
    return sum(values) / len(values)


def _story(report: MultiTaskReport) -> Section:
    words = (
        f"One encoder, started from {report.model}, learned {counted(len(report.tasks), 'task')} at once, each with a "
        "head of its own. Every update had texts of one task. The weights kept are those with the best "
        "figure on the dev parts of the tasks."
    )
    total = sum(report.updates.values())
    rows = [
        (name, f"{report.tasks[name].train_texts:,}", f"{number:,}", f"{number / total:.1%}")
        for name, number in report.updates.items()
    ]
    header = ("Task", "Training texts", "Updates an epoch", "Share")
    shares = table(header, rows, caption="Which task had how many updates", numbers=(1, 2, 3))
    return Section("story", "What was done", join(paragraph(words), shares, facts(list(report.setup.items()))))


def _task(name: str, report: RunReport) -> Section:
    """A task as its own report would show it, under headings one step lower."""
    pieces: list[object] = [paragraph(join(*(join(sentence, " ") for sentence in sentences(report))))]
    pieces += [headline(split) for split in reversed(report.splits)]
    for section in OF_A_TASK:
        if (told := section(report)) is not None:
            pieces += [tag("h3", told.title), told.body]
    return Section(f"task-{name}", f"Task {name}", join(*pieces))


def _final(report: MultiTaskReport) -> Section | None:
    """The tasks that went on alone, beside what they were before."""
    if not report.final:
        return None
    rows = []
    for name, alone in report.final.items():
        metric = report.metrics[name]
        before: dict[str, float] = {split.name: split.metrics[metric] for split in report.tasks[name].splits}
        for split in alone.splits:
            after, was = split.metrics[metric], before[split.name]
            rows.append(
                (
                    tag("code", f"final/{name}"),
                    split.name,
                    wording(metric).name,
                    metric_value(metric, was),
                    metric_value(metric, after),
                    f"{after - was:+.4f}",
                )
            )
    words = (
        "Each of these tasks went on from the shared weights with its own texts alone, at a lower rate, and became a "
        "model of its own. What is better on dev alone may be chance: look at the intervals above."
    )
    header = ("Model", "Part", "Metric", "All together", "Gone on alone", "Difference")
    body = join(paragraph(words), table(header, rows, caption="Single tasks afterwards", numbers=(3, 4, 5)))
    return Section("final", "Single tasks afterwards", body)


def multitask_card(report: MultiTaskReport, *, folder: str) -> str:
    """Write README.md of a model of several tasks."""
    header = {
        "language": [report.language] if report.language else None,
        "library_name": "transformers",
        "tags": ["bertsmith", "multi-task", *dict.fromkeys(one.task for one in report.tasks.values())],
        "base_model": report.base_model,
    }
    first = next(iter(report.tasks))
    named = yaml.safe_dump(
        {name: value for name, value in header.items() if value}, allow_unicode=True, sort_keys=False
    )
    quoted = shlex.quote(folder)
    alone = ", ".join(code(f"final/{name}") for name in report.final)
    parts = [
        f"Tasks: {', '.join(f'{inline(name)} ({one.task})' for name, one in report.tasks.items())}. One encoder, "
        f"fine-tuned from {code(report.model)} with bertsmith, with a head for each.\n",
        *(
            f"## {inline(name)}\n\n{counted(one.train_texts, 'training text')} of {code(one.train_source)}."
            f"{_labels(one)}\n\n{metric_table(one)}{limits(one, heading=False)}"
            for name, one in report.tasks.items()
        ),
        *([f"Tasks that went on alone, at a lower rate, are models of their own: {alone}.\n"] if alone else []),
        "## How to use it\n\n"
        f"```sh\nbertsmith predict --model {quoted} --task {first} --input texts.csv --output answers.csv\n```\n\n"
        f"```python\nfrom bertsmith import MultiTask\n\nmodel = MultiTask.load({folder!r})\n"
        f'model["{first}"].predict(["a text"])\n```\n\n'
        f"transformers loads the encoder: `AutoModel.from_pretrained({folder!r})`.\n",
        origin(report),
    ]
    body = "\n".join(parts)
    return printable(f"---\n{named}---\n\n# {inline(report.title)}\n\n{body}")


def _labels(report: RunReport) -> str:
    return f" Labels: {', '.join(map(code, report.labels))}." if report.labels else ""
