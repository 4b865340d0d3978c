import json
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from bertsmith.data import Record, TokenBudget, check_files, check_splits, refuse_errors, require_trainable
from bertsmith.data.checking.lengths import summarize
from bertsmith.data.checking.oddities import is_mojibake
from bertsmith.errors import UserError

WORDS = ["快递", "退款", "尺码", "发票", "物流", "质量", "客服", "价格", "包装", "颜色", "换货", "优惠"]


def text(number):
    random = np.random.default_rng(number)
    return "".join(random.choice(list("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"), 20))


def records(split, rows):
    return [Record(row[0], label=row[1], where=f"{split}.csv:{number}") for number, row in enumerate(rows, start=2)]


def clean(split, count=40, start=0):
    return records(split, [(text(start + number), "ab"[number % 2]) for number in range(count)])


def found(report):
    return {finding.code: finding for finding in report.findings}


class Characters:
    """A tokenizer of one token a character; what is not Chinese is unknown."""

    special = SimpleNamespace(unk=1)

    def tokenize(self, texts):
        return [
            SimpleNamespace(token_ids=np.array([ord(c) if c > "\u2e80" else 1 for c in one], dtype=np.int64))
            for one in texts
        ]

    def overhead(self, *, pair):
        return 3 if pair else 2


def test_clean_data_has_nothing_to_warn_of():
    report = check_splits({"train": clean("train"), "dev": clean("dev", start=100)})
    assert {finding.level for finding in report.findings} == {"info"}
    assert report.rows == {"train": 40, "dev": 40}


def test_every_finding_says_what_and_what_to_do():
    train = [*clean("train"), *records("train", [("a ", "a"), ("a", "c"), ("<br />", "A"), (text(3) + "！", "b")])]
    dev = [*clean("dev", start=100), *records("dev", [(text(1), "a"), ("\ufffd b", "zz")])]
    report = check_splits({"train": train, "dev": dev}, budget=TokenBudget(Characters(), 10))
    assert len(report.findings) >= 10
    for finding in report.findings:
        assert finding.what
        assert finding.fix
        if finding.level == "error":
            assert finding.where
    assert [finding.level for finding in report.findings] == sorted(
        (finding.level for finding in report.findings), key=("error", "warning", "info").index
    )
    assert json.loads(json.dumps(report.to_json()))["rows"] == {"train": 44, "dev": 42}


def test_one_label_only_is_an_error():
    report = check_splits({"train": records("train", [(text(number), "a") for number in range(10)])})
    assert report.errors[0].code == "one_label"
    assert "train.csv:" in report.errors[0].what
    with pytest.raises(UserError, match="nothing to learn"):
        refuse_errors(report.findings)


def test_unseen_label_names_file_line_and_value():
    dev = records("dev", [(text(100), "a"), (text(101), "aa"), (text(102), "aa"), (text(103), "x")])
    finding = found(check_splits({"train": clean("train"), "dev": dev}))["unseen_label"]
    assert finding.what.startswith('dev.csv:3: label "aa"')
    assert finding.where == "dev.csv:3"
    with pytest.raises(UserError) as caught:
        require_trainable({"train": clean("train"), "dev": dev})
    assert caught.value.code == "unseen_label"
    assert 'label "aa"' in caught.value.message


def test_trainable_data_pass():
    require_trainable({"train": clean("train"), "dev": clean("dev", start=50)})
    require_trainable({"train": [Record("x", label=1.0), Record("y", label=2.0)]}, labels="number")


def test_empty_and_blank_are_errors():
    codes = found(check_splits({"train": clean("train"), "dev": [], "test": records("test", [(" \u200b", "a")])}))
    assert codes["empty_file"].level == "error"
    assert codes["blank_text"].where == "test.csv:2"


def test_equal_scores_are_an_error():
    rows = [Record(text(number), label=2.0, where=f"a.csv:{number}") for number in range(5)]
    assert check_splits({"train": rows}, labels="number").errors[0].code == "one_label"
    assert "label_range" in found(check_splits({"train": [*rows, Record("x", label=3.0)]}, labels="number"))


@pytest.mark.parametrize(("many", "told"), [(3, "3 texts"), (1, "1 text")])
def test_numbers_that_cannot_be_measured_are_an_error(many, told):
    train = [Record(text(number), label=float(number)) for number in range(5)]
    test = [Record(text(number), label=2.5, where=f"test.csv:{number}") for number in range(10, 10 + many)]
    with pytest.raises(UserError) as caught:
        require_trainable({"train": train, "test": test}, labels="number")
    assert caught.value.code == "constant_scores"
    assert caught.value.message.startswith(f"test.csv: no two numbers of test differ ({told} with 2.5)")
    assert "constant_scores" in found(check_splits({"train": train, "test": test}, labels="number"))


def test_rare_uneven_and_twice_spelt_labels():
    rows = [(text(number), "sports") for number in range(60)] + [(text(100), "Sports "), (text(101), "news")]
    codes = found(check_splits({"train": records("train", rows)}))
    assert '"news" 1' in codes["rare_label"].what
    assert "accuracy" in codes["imbalance"].what
    assert '"sports" (60) = "Sports " (1)' in codes["labels_alike"].what


def test_label_column_that_holds_ids():
    rows = records("train", [(text(number), str(number)) for number in range(30)])
    assert "too_many_labels" in found(check_splits({"train": rows}))


def test_several_labels():
    train = [Record(text(number), label=("a", "b")[: number % 3]) for number in range(60)]
    dev = [Record(text(100), label=("a", "q"), where="dev.csv:2")]
    codes = found(check_splits({"train": train, "dev": dev}, labels="several"))
    assert 'label "q"' in codes["unseen_label"].what
    same = [Record("x", label=("a", "b")), Record("x", label=("b", "a"))]
    assert "conflicting_labels" not in found(check_splits({"train": [*train, *same]}, labels="several"))


def test_duplicates_conflicts_and_leaks():
    train = [*clean("train"), Record(text(0) + " ", label="a", where="train.csv:90")]
    train += [Record(text(1), label="a", where="train.csv:91")]
    dev = [*clean("dev", start=100), Record(text(4), label="a", where="dev.csv:77")]
    dev += [Record(text(7) + "！", label="b", where="dev.csv:78")]
    codes = found(check_splits({"train": train, "dev": dev}))
    assert codes["duplicates"].what.startswith("2 texts of train")
    assert codes["duplicates"].where == "train.csv:90"
    assert codes["conflicting_labels"].what.startswith("1 text ")
    assert "train.csv:91 is 'a', train.csv:3 is 'b'" in codes["conflicting_labels"].examples[0]
    assert codes["leak"].what.startswith("1 text (2.4 %) of dev")
    assert codes["leak"].where == "dev.csv:77"
    assert "train.csv:6" in codes["leak"].examples[0]
    assert codes["near_leak"].what.startswith("1 text ")
    assert codes["near_leak"].where == "dev.csv:78"


def test_pairs_are_compared_as_pairs():
    train = [Record(text(number), text_pair=text(number + 50), label="ab"[number % 2]) for number in range(40)]
    dev = [Record(text(0), text_pair=text(1), label="a"), Record(text(2), text_pair=text(52), label="a")]
    codes = found(check_splits({"train": train, "dev": dev}))
    assert codes["leak"].what.startswith("1 text ")
    assert "near_leak" not in codes
    assert "duplicates" not in codes


@pytest.mark.parametrize(
    ("code", "odd"),
    [
        ("replacement_character", "中\ufffd国"),
        ("mojibake", "cafÃ© crÃ¨me"),
        ("mojibake", "质量很好".encode().decode("gb18030", "replace")),
        ("inner_bom", "中\ufeff国"),
        ("control_character", "中\x07国"),
        ("markup", "好<br />坏"),
        ("white_space", "a  b"),
    ],
)
def test_oddities(code, odd):
    train = [*clean("train"), Record(odd, label="a", where="train.csv:50")]
    finding = found(check_splits({"train": train}))[code]
    assert finding.where == "train.csv:50"
    assert finding.what.startswith("1 text (train 1)")


@pytest.mark.parametrize(
    "fine", ["café crème, déjà vu", "我们的产品质量很好，欢迎选购", "naïve Ångström", "模", "»quoted«"]
)
def test_ordinary_text_is_no_mojibake(fine):
    assert not is_mojibake(fine)


def test_lengths_truncation_and_unknown_tokens():
    train = [
        *clean("train"),
        Record("长" * 98, label="a", where="train.csv:60"),
        Record("ab国", label="b", where="t:61"),
    ]
    report = check_splits({"train": train}, budget=TokenBudget(Characters(), 50))
    codes = found(report)
    assert codes["truncation"].where == "train.csv:60"
    assert "loses 50 tokens" in codes["truncation"].what
    assert codes["unknown_tokens"].where == "t:61"
    assert codes["unknown_tokens"].what.startswith("2 tokens")
    summary = report.lengths["train"]
    assert (summary.texts, summary.longest, summary.truncated_texts, summary.truncated_tokens) == (42, 100, 1, 50)
    assert summary.tokens == 40 * 22 + 100 + 5
    assert sum(summary.counts) == 42


@pytest.mark.parametrize("longest", [1, 31, 32, 33, 64, 65, 1000])
def test_histogram_holds_every_text(longest):
    summary = summarize(np.arange(1, longest + 1), 40)
    assert sum(summary.counts) == longest
    assert len(summary.edges) == len(summary.counts) + 1


def test_files_are_checked_as_far_as_they_can_be_read(tmp_path):
    rows = [f"{text(number)},{'ab'[number % 2]}" for number in range(30)]
    (tmp_path / "train.csv").write_text("text,label\n" + "\n".join([*rows, " ,a", "x,y,z", "q,", ",b"]) + "\n")
    (tmp_path / "dev.csv").write_bytes("text,label\n这个商品很好，我很喜欢,a\n".encode("gb18030"))
    report = check_files({"train": tmp_path / "train.csv", "dev": tmp_path / "dev.csv", "test": tmp_path / "no.csv"})
    codes = found(report)
    assert report.rows == {"train": 30, "dev": 0, "test": 0}
    assert "(1 more such row)" in codes["blank_text"].what
    assert codes["ragged_row"].where.endswith("train.csv:33")
    assert codes["missing_label"].where.endswith("train.csv:34")
    assert "--encoding gb18030" in codes["bad_encoding"].what
    assert codes["missing_file"].level == "error"
    with pytest.raises(UserError, match="more errors"):
        refuse_errors(report.findings)


def test_findings_do_not_depend_on_chance():
    def digest():
        train = [*clean("train", 300), *clean("more", 100)]
        return zlib.crc32(json.dumps(check_splits({"train": train, "dev": clean("dev", 50)}).to_json()).encode())

    assert digest() == digest()
