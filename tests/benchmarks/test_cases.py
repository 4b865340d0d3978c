from pathlib import Path

import pytest

from harness.cases import FOR_QUICK, all_cases
from harness.child import MODULES, peak_bytes
from harness.generated import Writer, chinese_words, english_words
from harness.goals import Ratio

MODES = ("quick", "bench", "full")
ONE_ROUND = ("sts-b", "memory-base", "memory-large")
HARNESS = Path(__file__).resolve().parents[2] / "benchmarks/harness"


@pytest.mark.parametrize("mode", MODES)
def test_cases_are_whole(mode) -> None:
    cases = all_cases(mode)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert all((each.system, case.task) in MODULES for each in case.contenders), case.name
        ways = {(each.system, each.way) for each in case.contenders}
        assert mode == "quick" or case.reference is None or case.reference in ways
        for goal in case.goals:
            assert ("bertsmith", getattr(goal, "way", None)) in ways, (case.name, goal)
            assert mode == "quick" or not isinstance(goal, Ratio) or set(goal.peers) <= ways
        assert case.rounds >= (1 if mode == "quick" else 3) or case.name in ONE_ROUND


def test_every_named_module_is_there() -> None:
    assert {path.stem for path in HARNESS.glob("ours_*.py")} <= set(MODULES.values())
    assert {path.stem for path in HARNESS.glob("peer_*.py")} <= set(MODULES.values())
    assert all((HARNESS / f"{name}.py").exists() for name in MODULES.values())


def test_whole_trainings_are_for_the_full_run() -> None:
    names = {mode: {case.name for case in all_cases(mode)} for mode in MODES}
    assert {"quality-trec", "quality-sst2", "quality-thucnews"} <= names["full"]
    assert not any(name.startswith("quality") for name in names["bench"])
    assert names["quick"] == names["bench"] >= set(FOR_QUICK)


def test_quick_tries_every_task_and_every_system() -> None:
    cases = [case for case in all_cases("quick") if case.name in FOR_QUICK]
    tried = {(each.system, case.task) for case in cases for each in case.contenders}
    assert {key for key in MODULES if key[1] not in ("materials", "ceiling", "sts")} == tried
    assert sum(len(case.contenders) for case in cases) < 40


def test_peers_read_no_bertsmith() -> None:
    """Their environment has none; what they share with us needs the standard library, numpy and torch."""
    shared = ("child", "protocol", "files", "neighbours", "peers", "vectors")
    for path in [*HARNESS.glob("peer_*.py"), *(HARNESS / f"{name}.py" for name in shared)]:
        assert "bertsmith" not in [line.split()[1].split(".")[0] for line in imports(path)], path.name


def imports(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.startswith(("import ", "from "))]


def test_generated_texts_are_the_same_every_time_and_of_real_length() -> None:
    words = ["字", "词", "##x", "文", "the", "of", "9"]
    assert chinese_words(words) == ["字", "词", "文"]
    assert english_words(words) == ["the", "of"]
    texts = Writer(chinese_words(words), seed=0).texts("zh-short", 2000)
    assert texts == Writer(chinese_words(words), seed=0).texts("zh-short", 2000)
    assert texts != Writer(chinese_words(words), seed=1).texts("zh-short", 2000)
    assert 16 < sum(map(len, texts)) / len(texts) < 18
    sentences = Writer(["a", "b"], seed=0).texts("en-sentences", 2000)
    assert 19.5 < sum(len(text.split()) for text in sentences) / len(sentences) < 22


def test_generated_names_and_corpora() -> None:
    writer = Writer(["字", "词"], seed=0)
    for words, tags in writer.tagged(20):
        assert len(words) == len(tags)
        assert tags.count("B-NAME") == tags.count("I-NAME") == 1
    lines = writer.corpus(4100)
    assert [place for place, line in enumerate(lines) if not line] == [20, 41]
    assert sum(map(len, lines)) == 4100


def test_peak_memory_is_known() -> None:
    assert peak_bytes() > 1e6
