"""SimBERT from similar questions: does one model find and write, and what does writing give an FAQ?

python benchmarks/paraphrase.py --data PATH --model tiny-zh --out runs/paraphrase --steps 2000

Learned from: the groups of the demo's training questions and the right pairs of LCQMC dev, AFQMC train and ATEC, as
they are and with 20 % and 40 % wrong pairs mixed in. Texts of evaluation parts, and all that pairs connect with them,
are left out. Measured on held-out groups of the demo: recall@1 among all held-out questions; of what is written about
them the share that a judge calls equivalent (a pair classifier trained on pairs of other texts), beside edits of one
character, copy rate and distinct-2; and recall@1 of an FAQ of one question a group before and after it is expanded.
Each part leaves a file in --out; started again, finished parts are not repeated and a killed training goes on.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.cli import main as bertsmith
from bertsmith.metrics import normed
from bertsmith.recipes import Judge, Similar, load_sentence_bundle, load_writing_model, paraphrase, paraphrase_recipe
from bertsmith.training import resolve_device
from recording import table
from similar_sets import Sets, learned_groups, prepared, write_groups, write_pairs

Vectors = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    """Run what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000, help="updates of each SimBERT")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--judge-steps", type=int, default=2000)
    parser.add_argument("--texts", type=int, default=100, help="held-out questions that are written about")
    parser.add_argument("--n", type=int, default=10, help="similar questions of each")
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.0, 0.2, 0.4])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    sets = prepared(given.data)
    print(json.dumps(sets.facts()))
    judge = trained_judge(sets, given)
    rows = [before(sets, given)]
    for wrong in given.wrong:
        model = trained_writer(sets, wrong, given)
        rows.append(
            kept(given.out / f"measured-{wrong:g}.json", lambda m=model, w=wrong: measured(m, w, judge, sets, given))
        )
    (given.out / "results.json").write_text(
        json.dumps({"sets": sets.facts(), "rows": rows}, indent=1), encoding="utf-8"
    )
    shown = ("model", "recall@1", "recall@1, mean", "gained", "equivalent", "one_edit", "copy_rate", "distinct_2")
    print(table([{name: _rounded(row.get(name)) for name in shown} for row in rows]))
    print(f"recall@1 by pairs of characters: {_rounded(rows[0].get('recall@1, characters'))}")
    expansions = [row for each in rows for row in each.get("faq", [])]
    if expansions:
        print(table(expansions))


def trained_judge(sets: Sets, given: argparse.Namespace) -> Path:
    """A pair classifier on texts that the writer never sees; a tenth of its pairs says how good it is."""
    out = given.out / "judge"
    train, test = given.out / "judge-train.csv", given.out / "judge-test.csv"
    if not (out / "metrics.json").exists():
        write_pairs(train, sets.judge[: 9 * len(sets.judge) // 10])
        write_pairs(test, sets.judge[9 * len(sets.judge) // 10 :])
        line = ["finetune", "--task", "pair", "--model", given.model, "--train", train, "--test", test, "--out", out]
        run(line, out, f"budget.max_steps={given.judge_steps}", f"threads={given.threads}", "task.symmetric=true")
    print("judge:", json.dumps(json.loads((out / "metrics.json").read_text())["test"]))
    return out


def trained_writer(sets: Sets, wrong: float, given: argparse.Namespace) -> Path:
    """SimBERT from the right pairs, with a share of wrong ones."""
    out = given.out / f"simbert-{wrong:g}"
    if not (out / "metrics.json").exists():
        train, dev = given.out / f"groups-{wrong:g}.jsonl", given.out / "groups-dev.jsonl"
        write_groups(train, learned_groups(sets, wrong))
        write_groups(dev, sets.dev.values())
        line = ["contrast", "--method", "simbert", "--model", given.model, "--train", train, "--dev", dev, "--out", out]
        sizes = ["--steps", given.steps, "--batch-size", given.batch_size, "--lr", given.lr]
        run([*line, *sizes], out, f"threads={given.threads}")
    return out


def run(line: Sequence[Any], out: Path, *settings: str) -> None:
    """A command of ours, gone on with if it was killed."""
    more = ["--resume"] if (out / "recipe.yaml").exists() else []
    chosen = [word for setting in settings for word in ("--set", setting)]
    code = bertsmith([*map(str, line), *chosen, *more])
    if code:
        raise SystemExit(code)


def before(sets: Sets, given: argparse.Namespace) -> dict[str, Any]:
    """The encoder as it was, and pairs of characters."""
    return kept(
        given.out / "measured-before.json",
        lambda: {
            "model": given.model,
            "recall@1": recall_of_groups(encoder(given.model), sets.heldout),
            "recall@1, mean": recall_of_groups(encoder(given.model, pooling="mean"), sets.heldout),
            "recall@1, characters": recall_of_groups(bigrams, sets.heldout),
        },
    )


def measured(model: Path, wrong: float, judge: Path, sets: Sets, given: argparse.Namespace) -> dict[str, Any]:
    """Finding, writing, and what writing gives finding."""
    name = f"SimBERT, {wrong:.0%} wrong pairs"
    vectors = encoder(str(model))
    groups = list(sets.heldout.values())
    texts = [texts[0] for texts in groups][: given.texts]
    recipe = paraphrase_recipe(given={"model": str(model), "keep": given.n})
    made = paraphrase(
        load_writing_model(model), texts, recipe, device=resolve_device("auto"), judge=Judge.load(str(judge))
    )
    counted = made.counted
    examples = {text: [each._asdict() for each in some[:3]] for text, some in zip(texts, made.similar, strict=True)}
    return {
        "model": name,
        "recall@1": recall_of_groups(vectors, sets.heldout),
        "recall@1, mean": recall_of_groups(encoder(str(model), pooling="mean"), sets.heldout),
        "gained": gained(encoder(str(model), pooling="mean"), encoder(given.model), sets.heldout),
        **counted.judged(),
        "copy_rate": counted.copy_rate,
        "distinct_2": counted.distinct_2.share,
        "unfinished": counted.unfinished,
        "written": counted.written,
        "faq": faq(name, groups[: given.texts], made.similar, {"vectors": vectors, "characters": bigrams}),
        "examples": dict(list(examples.items())[:10]),
    }


def recall_of_groups(vectors: Vectors, groups: Mapping[str, Sequence[str]]) -> float:
    """How often the nearest other question is of the same group."""
    return float(found(vectors, groups)[1].mean())


def found(vectors: Vectors, groups: Mapping[str, Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Of every question the group, and whether the nearest other question is of it."""
    owners = np.array([name for name, texts in groups.items() for _ in texts])
    made = vectors([text for texts in groups.values() for text in texts])
    scores = made @ made.T
    np.fill_diagonal(scores, -np.inf)
    return owners, owners[scores.argmax(1)] == owners


def gained(now: Vectors, then: Vectors, groups: Mapping[str, Sequence[str]]) -> str:
    """The difference of recall@1 with its 95 % interval: bootstrap over groups."""
    owners, hits = found(now, groups)
    differences = hits.astype(float) - found(then, groups)[1]
    of_group = [differences[owners == name] for name in groups]
    random = np.random.default_rng(0)
    draws = random.integers(0, len(of_group), (2000, len(of_group)))
    means = [np.concatenate([of_group[number] for number in draw]).mean() for draw in draws]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{differences.mean():+.3f} ({low:.3f} to {high:.3f})"


def faq(
    name: str, groups: Sequence[Sequence[str]], similar: Sequence[Sequence[Similar]], ways: Mapping[str, Vectors]
) -> list[dict[str, Any]]:
    """Recall@1 of an FAQ that knows one question of each group, asked all the others; alone, and expanded.

    An expanded entry is as near as the nearest of its questions. `judged`: only what the judge calls equivalent.
    """
    asked = [(text, number) for number, texts in enumerate(groups) for text in texts[1:]]
    owners = np.array([number for _, number in asked])
    shelves = {
        "one question": [[texts[0]] for texts in groups],
        "expanded": [[texts[0], *(each.text for each in some)] for texts, some in zip(groups, similar, strict=True)],
        "expanded, judged": [
            [texts[0], *(each.text for each in some if (each.equivalent or 0.0) >= 0.5)]
            for texts, some in zip(groups, similar, strict=True)
        ],
    }
    rows = []
    for way, vectors in ways.items():
        row: dict[str, Any] = {"model": name, "found by": way, "questions": len(asked)}
        for shelf, entries in shelves.items():
            numbers = np.repeat(np.arange(len(entries)), [len(entry) for entry in entries])
            every = vectors([text for text, _ in asked] + [text for entry in entries for text in entry])
            nearest = (every[: len(asked)] @ every[len(asked) :].T).argmax(1)
            row[shelf] = _rounded(float((numbers[nearest] == owners).mean()))
        rows.append(row)
    return rows


def encoder(source: str, *, pooling: str | None = None) -> Vectors:
    """Vectors of length 1, by the encoder's own pooling unless another is named."""
    bundle = load_sentence_bundle(source, pooling=pooling)
    return lambda texts: normed(bundle.encode(texts, device=resolve_device("auto")).vectors)


def bigrams(texts: Sequence[str]) -> np.ndarray:
    """Pairs of characters, weighed by rarity among these texts: what needs no model."""
    runs = [[text[place : place + 2] for place in range(max(1, len(text) - 1))] for text in texts]
    known = {run: number for number, run in enumerate(sorted({run for some in runs for run in some}))}
    counts = np.zeros((len(texts), len(known)), dtype=np.float32)
    for row, some in enumerate(runs):
        np.add.at(counts[row], [known[run] for run in some], 1.0)
    rarity = np.log((1 + len(texts)) / (1 + (counts > 0).sum(0))) + 1
    return np.asarray(normed(counts * rarity), dtype=np.float32)


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was found before, or is found now."""
    if not path.exists():
        found = make()
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
