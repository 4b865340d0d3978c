"""What is measured: cases, who is measured at them, and what must be true."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.goals import Close, Flat, Goal, Limit, Ratio

Mode = Literal["quick", "bench", "full"]

GROUPED = ({"group_by_length": True}, {"group_by_length": False})
ANY: tuple[Mapping[str, Any], ...] = ({},)
HALF, WHOLE = "bfloat16", "float32"


@dataclass(frozen=True)
class Contender:
    """A system in one of its ways (a precision, a kind of index), and the settings of which the best counts."""

    system: str
    way: str
    settings: tuple[Mapping[str, Any], ...] = ANY


@dataclass(frozen=True)
class Source:
    """So many texts of a kind: `materials.KINDS` says where they come from."""

    kind: str
    count: int
    part: str = "train"


@dataclass(frozen=True)
class Case:
    """A piece of work that every contender does with the same weights and texts.

    `each`: every setting has a row of its own, and a process of its own for every round. `patience`: after so many
    seconds no further round begins, once there are two. `reference`: whose vectors the others are compared with.
    """

    name: str
    about: str
    task: str
    model: str
    sources: Mapping[str, Source]
    contenders: tuple[Contender, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    rounds: int = 3
    patience: float = 60.0
    each: bool = False
    reference: tuple[str, str] | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    mode: Mode

    def of(self, quick: int, bench: int, full: int) -> int:
        """A number for each mode."""
        return {"quick": quick, "bench": bench, "full": full}[self.mode]

    @property
    def limits(self) -> dict[str, Any]:
        """Rounds and patience."""
        rounds = self.of(1, 3, 5)
        return {"rounds": rounds, "patience": float("inf") if self.mode == "full" else 40.0}


def all_cases(mode: Mode) -> list[Case]:
    """Every case, in the order they are run."""
    scale = Scale(mode)
    cases = [
        *encoding(scale),
        *fine_tuning(scale),
        simcse(scale),
        tagging(scale),
        *pretraining(scale),
        generation(scale),
        search(scale),
        curve(scale),
        startup(scale),
        quality_of_encoding(scale),
        *(quality_of_training(scale) if mode == "full" else ()),
        *(memory_of_training() if mode == "full" else ()),
    ]
    return [quick(case) for case in cases] if mode == "quick" else cases


FOR_QUICK = (
    "encode-zh",
    "finetune-zh-32",
    "simcse",
    "tagging",
    "pretrain-mlm",
    "pretrain-electra",
    "generate",
    "search",
    "curve",
    "startup",
)
"""One of a kind: what `--quick` runs unless it is told otherwise."""


def quick(case: Case) -> Case:
    """A case with each peer in one of its ways only, and without goals: the figures of tiny models say nothing."""
    first = {each.system: each for each in reversed(case.contenders)}
    kept = [each for each in case.contenders if each.system == "bertsmith" or each is first[each.system]]
    return replace(case, contenders=tuple(kept), goals=())


def encoders(scale: Scale, *, long: bool) -> tuple[Contender, ...]:
    """Who encodes; peers in batches of several sizes, smaller ones where texts are long, of all sizes at leisure."""
    sizes = (16, 32, 64, 128) if scale.mode == "full" else (16, 32) if long else (32, 64)
    batches = tuple({"batch": size} for size in sizes)
    return (
        Contender("bertsmith", HALF),
        Contender("bertsmith", WHOLE),
        Contender("sentence-transformers", HALF, batches),
        Contender("sentence-transformers", WHOLE, batches),
        Contender("onnxruntime", WHOLE, batches),
        Contender("onnxruntime", "int8", batches),
    )


SHORT_GOALS = (
    Ratio(HALF, (("sentence-transformers", HALF),), must=2.0, moonshot=2.5),
    Ratio(HALF, (("sentence-transformers", WHOLE),), must=5.0, moonshot=8.0),
    Ratio(HALF, (("onnxruntime", "int8"),), must=2.0, moonshot=3.0),
    Limit(HALF, "smallest cosine", at_least=0.999),
)


def encoding(scale: Scale) -> Iterator[Case]:
    """From text to vector."""
    sizes = {"quick": (48,), "bench": (1000,), "full": (1000, 20_000, 200_000)}[scale.mode]
    few = {"quick": (8,), "bench": (64,), "full": (1000, 10_000)}[scale.mode]
    kinds: Sequence[tuple[str, str, str, tuple[int, ...], tuple[Goal, ...]]] = (
        ("zh", "zh-short", "mini-zh", sizes, SHORT_GOALS),
        ("en", "en-sentences", "minilm", sizes, (*SHORT_GOALS[:3], Limit(HALF, "smallest cosine", at_least=0.9999))),
        ("documents", "documents", "minilm", few, ()),
        ("mixed", "mixed", "minilm", tuple(max(16, size // 4) for size in sizes), ()),
        ("base", "zh-short", "base-zh", {"quick": (8,), "bench": (128,), "full": (4000,)}[scale.mode], ()),
    )
    for name, kind, model, counts, goals in kinds:
        long = kind in ("documents", "mixed")
        for count in counts:
            yield Case(
                name=f"encode-{name}" + (f"-{count // 1000}k" if len(counts) > 1 else ""),
                about=f"{count:,} texts ({kind}) to vectors, {model}, mean pooling, normed",
                task="encode",
                model=model,
                sources={"texts": Source(kind, count, "test" if kind == "documents" else "train")},
                contenders=encoders(scale, long=long),
                options={"max_length": 512 if long else 128},
                goals=goals,
                reference=("sentence-transformers", WHOLE),
                needs=("model",) if model == "minilm" else (),
                **scale.limits,
            )


def in_ways(scale: Scale, peer: str, *, both: bool = False, **more: Any) -> tuple[Contender, ...]:
    """bertsmith and a peer at a training: in bfloat16, and in float32 where asked for or at leisure.

    On processors with bfloat16 the peers train slower in float32, so their best setting is among these.
    """
    ways = (HALF, WHOLE) if both or scale.mode == "full" else (HALF,)
    return (*(Contender("bertsmith", way) for way in ways), *(Contender(peer, way, **more) for way in ways))


def tuners(scale: Scale, *, both: bool = False) -> tuple[Contender, ...]:
    """Who fine-tunes; transformers' own Trainer with length grouping and, where there is time, without (slower yet)."""
    settings = GROUPED if scale.mode == "full" else GROUPED[:1]
    return in_ways(scale, "transformers", both=both, settings=settings)


def fine_tuning(scale: Scale) -> Iterator[Case]:
    """From labelled texts to a trained classifier."""
    against = (("transformers", HALF),)
    kinds: Sequence[tuple[str, str, str, int, int, tuple[Goal, ...]]] = (
        ("zh-32", "zh-short", "mini-zh", 32, scale.of(32, 512, 20_000), (Ratio(HALF, against, 2.0, 3.0),)),
        ("zh-64", "zh-short", "mini-zh", 64, scale.of(64, 512, 20_000), (Ratio(HALF, against, 2.0, 3.0),)),
        ("en", "en-sentences", "minilm", 32, scale.of(32, 256, 6920), ()),
        ("documents", "documents", "minilm", 16, scale.of(16, 48, 2000), ()),
        ("mixed", "mixed", "minilm", 16, scale.of(16, 256, 4000), (Ratio(HALF, against, 3.0, 5.0),)),
        ("base", "zh-short", "base-zh", 32, scale.of(16, 64, 2000), ()),
    )
    for name, kind, model, batch, count, goals in kinds:
        yield Case(
            name=f"finetune-{name}",
            about=f"{count:,} labelled texts ({kind}), {model}, one epoch, {batch} an update, pooler and linear head",
            task="finetune",
            model=model,
            sources={"train": Source(kind, count), "test": Source(kind, scale.of(16, min(count, 256), 1000), "test")},
            contenders=tuners(scale, both=name in ("zh-32", "en")),
            options={
                "batch_size": batch,
                "lr": 5e-5,
                "epochs": 1,
                "max_length": 512 if kind in ("documents", "mixed") else 128,
            },
            goals=goals,
            needs=("model",) if model == "minilm" else (),
            **scale.limits,
        )


def simcse(scale: Scale) -> Case:
    """Contrastive training on copies."""
    count = scale.of(64, 384, 10_000)
    return Case(
        name="simcse",
        about=f"unsupervised SimCSE on {count:,} short Chinese texts, 64 an update, mean pooling, temperature .05",
        task="simcse",
        model="mini-zh",
        sources={"texts": Source("zh-short", count)},
        contenders=in_ways(scale, "sentence-transformers"),
        options={"batch_size": 64, "lr": 3e-5, "max_length": 64},
        goals=(Ratio(HALF, (("sentence-transformers", HALF),), 2.0, 3.0),),
        **scale.limits,
    )


def tagging(scale: Scale) -> Case:
    """Named entities with a CRF."""
    count = scale.of(32, 256, 3821)
    return Case(
        name="tagging",
        about=f"{count:,} Chinese sentences tagged, mini-zh, linear head and CRF (peer: pytorch-crf in the Trainer)",
        task="tagging",
        model="mini-zh",
        sources={"train": Source("tagged", count), "test": Source("tagged", scale.of(16, 128, 477), "test")},
        contenders=tuners(scale),
        options={"batch_size": 32, "lr": 5e-5, "epochs": 1, "max_length": 128},
        **scale.limits,
    )


def pretraining(scale: Scale) -> Iterator[Case]:
    """Masked tokens and ELECTRA, from random weights."""
    updates, warm, batch = scale.of(3, 12, 200), scale.of(1, 2, 10), scale.of(8, 32, 32)
    for objective, peer in (("mlm", "Trainer and collator"), ("electra", "a loop by hand")):
        yield Case(
            name=f"pretrain-{objective}",
            about=f"{updates} updates of {batch} texts of 128 tokens after {warm} to warm up, 4 x 256; peer: {peer}",
            task="pretrain",
            model="tiny-4x256",
            sources={"corpus": Source("corpus", scale.of(40_000, 1_000_000, 10_000_000))},
            contenders=in_ways(scale, "transformers"),
            options={
                "objective": objective,
                "batch_size": batch,
                "max_length": 128,
                "lr": 1e-3,
                "updates": updates,
                "warm": warm,
                "masked": 0.15,
            },
            goals=(Ratio(HALF, (("transformers", HALF),), 2.5, 4.0),) if objective == "mlm" else (),
            **scale.limits,
        )


def generation(scale: Scale) -> Case:
    """Similar texts written token by token."""
    texts, samples = scale.of(2, 8, 32), scale.of(2, 20, 100)
    again = {"bertsmith": ANY, "transformers": ({"at_once": texts},)} if scale.mode == "full" else {}
    return Case(
        name="generate",
        about=f"{samples} samples of 24 tokens for each of {texts} texts, top 5; transformers: generate() of the same "
        "shape, which reads the source left to right",
        task="generate",
        model="mini-zh",
        sources={"texts": Source("zh-short", texts)},
        contenders=(
            Contender("bertsmith", "memory"),
            Contender("transformers", "memory", ({"at_once": 1}, {"at_once": texts})),
            *(Contender(system, "reading again", settings) for system, settings in again.items()),
        ),
        options={"samples": samples, "target": 24, "top_k": 5, "max_length": 64},
        **scale.limits,
    )


def search(scale: Scale) -> Case:
    """Vectors indexed and searched."""
    count, asked = scale.of(500, 10_000, 1_000_000), scale.of(20, 500, 1000)
    return Case(
        name="search",
        about=f"{count:,} vectors of corpus lines by tiny-zh (32 tokens of each), {asked} queries, the best 10; "
        "seconds are those of all queries together",
        task="search",
        model="tiny-zh",
        sources={"queries": Source("vectors", asked, "test"), "vectors": Source("vectors", count)},
        contenders=(
            *(Contender("bertsmith", kind) for kind in ("exact", "exact-int8", "ivf-int8", "hnsw-int8")),
            Contender("numpy", "exact"),
            *(Contender("faiss", kind) for kind in ("exact", "ivf-int8", "hnsw")),
        ),
        options={"top": 10, "single": scale.of(5, 200, 200), "max_length": 32},
        rounds=scale.of(1, 3, 3),  # each builds anew
        patience=scale.limits["patience"],
    )


def curve(scale: Scale) -> Case:
    """Cost and memory of a stream, by its length."""
    sizes = {
        "quick": (64, 128),
        "bench": (1000, 5000, 20_000),
        "full": (1000, 10_000, 100_000, 1_000_000),
    }[scale.mode]
    return Case(
        name="curve",
        about="a stream of sentences to vectors, which are dropped: cost of a real token, and memory, by its length",
        task="curve",
        model="minilm",
        sources={"texts": Source("en-sentences", min(max(sizes), 6920))},
        contenders=(Contender("bertsmith", HALF, tuple({"texts": size} for size in sizes)),),
        options={"max_length": 128},
        goals=(Flat(HALF, "ns/token", must=0.15, moonshot=0.05), Flat(HALF, "peak MB", must=0.15)),
        rounds=scale.of(1, 3, 3),
        patience=scale.limits["patience"],
        each=True,
        needs=("model",),
    )


def startup(scale: Scale) -> Case:
    """From the call to the answer for one text."""
    return Case(
        name="startup",
        about="`bertsmith predict` on one text with tiny-zh, a new process each time; torch: `import torch` alone, "
        "ours: the rest",
        task="startup",
        model="tiny-zh",
        sources={"classifier": Source("classifier", 1)},
        contenders=(Contender("bertsmith", "command"),),
        goals=(
            Limit("command", "seconds", at_most=3.0),
            Limit("command", "ours s", at_most=0.7),
        ),
        rounds=scale.of(1, 7, 15),
        patience=scale.limits["patience"],
    )


def quality_of_encoding(scale: Scale) -> Case:
    """What bfloat16 costs in quality."""
    return Case(
        name="sts-b",
        about="STS-B test (English) with all-MiniLM: Spearman x 100, and cosines of bfloat16 to float32",
        task="sts",
        model="minilm",
        sources={"pairs": Source("pairs", scale.of(50, 1379, 1379), "test")},
        contenders=(Contender("bertsmith", HALF), Contender("bertsmith", WHOLE)),
        options={"max_length": 128},
        goals=(
            Limit(HALF, "smallest cosine", at_least=0.9999),
            Close("spearman", HALF, WHOLE, within=0.1),
        ),
        reference=("bertsmith", WHOLE),
        rounds=1,
        needs=("model", "data"),
    )


def quality_of_training(scale: Scale) -> Iterator[Case]:
    """Whole trainings over seeds: does bfloat16 reach what float32 reaches?"""
    sets: Sequence[tuple[str, str, str, int, dict[str, Any]]] = (
        ("trec", "trec", "minilm", 0, {"batch_size": 32, "lr": 5e-5, "epochs": 3, "max_length": 128}),
        ("sst2", "en-sentences", "minilm", 0, {"batch_size": 32, "lr": 5e-5, "epochs": 3, "max_length": 128}),
        ("imdb", "documents", "minilm", 1500, {"batch_size": 16, "lr": 5e-5, "epochs": 3, "max_length": 256}),
        ("thucnews", "zh-short", "tiny-zh", 10_000, {"batch_size": 64, "lr": 3e-4, "epochs": 3, "max_length": 64}),
    )
    for name, kind, model, count, options in sets:
        yield Case(
            name=f"quality-{name}",
            about=f"{model} fine-tuned on {name}, {options['epochs']} epochs, a seed each round: test accuracy",
            task="finetune",
            model=model,
            sources={
                "train": Source(kind, count),
                "test": Source(kind, count, "test"),
            },
            contenders=(
                Contender("bertsmith", HALF),
                Contender("bertsmith", WHOLE),
                Contender("transformers", HALF, GROUPED[:1]),
            ),
            options=options,
            goals=(Close("accuracy", HALF, WHOLE),),
            rounds=scale.of(1, 3, 5),
            patience=scale.limits["patience"],
            needs=("data",) + (("model",) if model == "minilm" else ()),
        )


def memory_of_training() -> Iterator[Case]:
    """Two updates on nothing but texts of 512 tokens: what an update needs, in large sizes too."""
    for size, batch, most in (("base", 32, 8), ("large", 16, 16)):
        source = Source("full-length", 2 * batch)
        yield Case(
            name=f"memory-{size}",
            about=f"{2 * batch} texts of 512 tokens, {batch} an update, BERT-{size} (21,128 tokens), activations "
            f"recomputed: fine-tuned in {most} GB?",
            task="finetune",
            model=f"bert-{size}",
            sources={"train": source, "test": Source("full-length", 4, "test")},
            contenders=(Contender("bertsmith", HALF), Contender("bertsmith", WHOLE), Contender("transformers", HALF)),
            options={"batch_size": batch, "lr": 5e-5, "epochs": 1, "max_length": 512, "activations": "recomputed"},
            goals=(Limit(HALF, "peak MB", at_most=most * 1000), Limit(WHOLE, "peak MB", at_most=most * 1000)),
            rounds=1,
        )
