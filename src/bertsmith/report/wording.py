"""How numbers are written for people."""

from dataclasses import dataclass

from bertsmith.metrics import Interval


@dataclass(frozen=True, slots=True)
class Wording:
    """The name of a metric, what it means, and whether it reads as a share."""

    name: str
    meaning: str
    percent: bool = False


_WORDINGS = {
    "accuracy": Wording("Accuracy", "share of texts answered right", percent=True),
    "macro_f1": Wording("Macro F1", "precision and recall in one, every label counting the same", percent=True),
    "micro_f1": Wording("Micro F1", "precision and recall in one, over all decisions of all labels", percent=True),
    "precision": Wording("Precision", "share of the spans answered that are right", percent=True),
    "recall": Wording("Recall", "share of the true spans that are found", percent=True),
    "f1": Wording("F1", "precision and recall of whole spans in one", percent=True),
    "auc": Wording("AUC", "chance that a positive text ranks above a negative one"),
    "spearman": Wording("Spearman", "how well the order of the scores is met"),
    "pearson": Wording("Pearson", "how well the size of the scores is met"),
    "recall@1": Wording("Recall@1", "share of the right texts that stand first", percent=True),
    "recall@10": Wording("Recall@10", "share of the right texts among the ten nearest", percent=True),
    "hit@1": Wording("Hit@1", "share of texts of which the nearest other one is right", percent=True),
    "hit@10": Wording("Hit@10", "share of texts with a right one among the ten nearest", percent=True),
    "ndcg@10": Wording("nDCG@10", "how early the right texts stand among the ten nearest"),
    "mrr": Wording("MRR", "mean of 1 over the rank of the first right text"),
    "loss": Wording("Loss", "all that is asked, added up"),
    "similarity": Wording("Loss of the vectors", "for finding the right text among others"),
    "masked_tokens": Wording("Loss of hidden tokens", "nats for naming a hidden token"),
    "masked_accuracy": Wording("Hidden tokens", "share of hidden tokens named right", percent=True),
    "next_token": Wording("Loss of next tokens", "nats for naming the next token"),
    "next_accuracy": Wording("Next tokens", "share of next tokens named right", percent=True),
    "pair_relation": Wording("Loss of pairs", "nats for telling true pairs from false ones"),
    "relation_accuracy": Wording("Pairs", "share of pairs told right", percent=True),
    "span_boundary": Wording("Loss of spans", "nats for naming a token of a span from its borders"),
    "boundary_accuracy": Wording("Spans", "share of tokens named right from the borders of their span", percent=True),
    "generator": Wording("Loss of the generator", "nats for naming a hidden token"),
    "generator_accuracy": Wording("Generator", "share of hidden tokens the generator names right", percent=True),
    "replaced_tokens": Wording(
        "Loss of replaced tokens", "for telling replaced tokens from true ones, with its weight"
    ),
    "replaced_share": Wording("Replaced", "share of tokens that the generator replaced", percent=True),
    "replaced_precision": Wording("Replaced: precision", "share of tokens called replaced that are", percent=True),
    "degraded_share": Wording("Without similar word", "share of words that got a random token instead", percent=True),
    "replaced_recall": Wording("Replaced: recall", "share of replaced tokens that are found", percent=True),
}


def wording(metric: str) -> Wording:
    """How to speak of a metric; an unknown one goes by its own name."""
    return _WORDINGS.get(metric, Wording(metric, ""))


def metric_value(metric: str, value: float) -> str:
    """`96.5 %` for shares, three decimals otherwise."""
    return share(value) if wording(metric).percent else f"{value:.3f}"


def metric_interval(metric: str, interval: Interval) -> str:
    """`95.1 to 97.6 %`."""
    low, high = (metric_value(metric, end) for end in interval)
    return f"{low.removesuffix(' %')} to {high}"


def share(value: float) -> str:
    """`12.3 %`."""
    return f"{100 * value:.1f} %"


def counted(number: int, noun: str) -> str:
    """`1 text`, `2,000 texts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def rate(value: float) -> str:
    """`2e-05` style, as in papers."""
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(number: int) -> str:
    """Bytes as MiB or GiB."""
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
