"""`bertsmith demo`: the main job end to end, on customer questions that come with the package."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bertsmith.cli.demo_meaning import answer, reword, split_settings, train_vectors
from bertsmith.cli.finetune import run_finetune
from bertsmith.cli.options import CommonOptions, RunOptions
from bertsmith.cli.output import print_json

if TYPE_CHECKING:
    from bertsmith.data import Record

QUESTIONS = {
    "zh": ("在吗，我的快递三天没动了", "这件毛衣洗了缩水能退不", "发票抬头写错了咋改", "积分啥时候到账"),
    "en": (
        "where is my parcel, it hasnt moved in days",
        "can i swap this lamp for the blue one",
        "my card got declined",
    ),
}
"""Asked of the finished model; none of them is in the data."""

RECIPE: dict[str, Any] = {
    "start": {"model": "tiny-zh"},
    "threads": 1,
}
"""Small enough for one core and a few minutes; a second thread would only make it depend on an idle machine."""


def demo(
    *,
    out: Path = Path("runs/demo"),
    language: Literal["zh", "en"] = "zh",
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Learn from customer questions that come with the package: a classifier, and vectors that answer by meaning.

    Example: bertsmith demo --out runs/demo

    Parameters
    ----------
    out
        Folder for data, model and report.
    language
        Chinese questions (26 intents) or English ones (10 intents).
    """
    run, options = run or RunOptions(), common or CommonOptions()
    summary = journey(out, language, run=run, options=options)
    if summary is None:
        return
    if options.json:
        print_json(summary)
    else:
        print_journey(summary)


def journey(out: Path, language: str, *, run: RunOptions, options: CommonOptions) -> dict[str, Any] | None:
    """Everything the demo does; returns what it found, None on processes that only help."""
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import merged

    require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    files, splits = write_splits(out / "data", language, seed=options.seed or 0)
    say(f"{sum(map(len, splits.values())):,} questions, written for this project (CC0), in groups of wordings;")
    say("no group is parted between training, development and test, so the test asks new questions\n")
    given = merged(RECIPE, {"data": {name: str(path) for name, path in files.items()}})
    mine = replace(options, settings=split_settings(options.settings)[0])
    summary = run_finetune(given, out=out / "model", run=run, common=mine)
    say("\nnow one model that finds questions of the same meaning, and writes them (SimBERT)\n")
    vectors = train_vectors(files, out / "vectors", run=run, options=options)
    if summary is None or vectors is None:
        return None
    summary["naive_bayes_test_accuracy"] = naive_bayes(splits["train"] + splits["dev"], splits["test"])
    summary["answers"] = ask(out / "model", QUESTIONS[language], options)
    summary["faq"] = answer(out / "vectors", splits["train"], language, QUESTIONS[language])
    summary["similar"] = reword(out / "vectors", QUESTIONS[language][0], seed=options.seed or 0)
    summary["vectors"] = {"out": vectors["out"], "test": vectors["test"]}
    summary["report"] = str(out / "model" / "report.html")
    return summary


def write_splits(folder: Path, language: str, *, seed: int) -> tuple[dict[str, Path], dict[str, list["Record"]]]:
    """Write train.csv, dev.csv and test.csv: 70, 10 and 20 % of the groups."""
    from bertsmith.data import read_records, split_records, write_rows

    source = Path(__file__).parent.parent / "assets" / "demo" / f"{language}_questions.csv"
    first = split_records(list(read_records(source)), share=0.2, seed=seed, group_column="group")
    second = split_records(first.train, share=0.125, seed=seed, group_column="group")
    splits = {"train": list(second.train), "dev": list(second.dev), "test": list(first.dev)}
    files = {name: folder / f"{name}.csv" for name in splits}
    for name, records in splits.items():
        write_rows(files[name], (record.row for record in records))
    return files, splits


def naive_bayes(train: Sequence["Record"], test: Sequence["Record"]) -> float | None:
    """Accuracy of naive Bayes on characters and their bigrams: what a model must beat. None without scikit-learn."""
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.naive_bayes import MultinomialNB
    except ImportError:
        return None
    counts = CountVectorizer(analyzer="char", ngram_range=(1, 2))
    model = MultinomialNB().fit(counts.fit_transform([r.text for r in train]), [str(r.label) for r in train])
    return float(model.score(counts.transform([r.text for r in test]), [str(r.label) for r in test]))


def ask(model: Path, questions: Sequence[str], options: CommonOptions) -> list[dict[str, Any]]:
    """Ask the saved model, as a user would."""
    from bertsmith.estimators import Classifier

    classifier = Classifier.load(model, device=options.device)
    chances = classifier.predict_proba(list(questions))
    return [
        {"text": text, "prediction": classifier.classes_[row.argmax()].item(), "confidence": round(float(row.max()), 4)}
        for text, row in zip(questions, chances, strict=True)
    ]


def print_journey(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    print(f"\naccuracy on new questions (test): {summary['test']['accuracy']:.3f}", end="")
    rival = summary["naive_bayes_test_accuracy"]
    if rival is None:
        print("   (naive Bayes left out: scikit-learn is not installed)")
    else:
        print(f"   naive Bayes on character bigrams: {rival:.3f}")
    for said in summary["answers"]:
        print(f"  {said['text']}  ->  {said['prediction']} ({said['confidence']:.2f})")
    print("\nanswered by meaning (the answer of the nearest known question):")
    for found in summary["faq"]:
        print(f"  {found['question']}  ~  {found['nearest']} ({found['similarity']:.2f})\n    {found['answer']}")
    print(f'\nother wordings, written for "{summary["faq"][0]["question"]}":')
    print("(learned in a few minutes from some hundred groups; SimBERT had 22 million, and writes well)")
    for one in summary["similar"]:
        print(f"  {one['text']} ({one['score']:.2f})")
    print(f"report: {summary['report']}")
    print(f"try it: bertsmith predict --model {summary['out']} --input FILE.csv")


def say(text: str) -> None:
    """Tell people what happens; stdout is for results."""
    print(text, file=sys.stderr, flush=True)
