"""The model card of a pre-training run."""

import yaml

from bertsmith.report import CorpusFacts, SourceFile, pretraining_card

from .test_pretraining import BARE, full_run


def parts_of(card):
    _, header, body = card.split("---\n", 2)
    return yaml.safe_load(header), body


def test_everything_is_told():
    corpus = CorpusFacts(
        sources=("a.txt.xz",),
        tokens=63_123_456,
        documents=98_765,
        shards=31,
        vocabulary=12_000,
        heldout_documents=987,
        files=(SourceFile("a.txt.xz", 1_234_567, "00ff"),),
        excluded=3,
        excluded_by=("dev.csv", "test.csv"),
    )
    card = pretraining_card(full_run(corpus=corpus, language="zh", base_model="someone/encoder"), folder="my runs/a")
    header, body = parts_of(card)
    assert header == {
        "language": ["zh"],
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "tags": ["bertsmith", "spanbert"],
        "base_model": "someone/encoder",
    }
    for told in (
        *("63,123,456 tokens in 98,765 documents", "| `a.txt.xz` | 1,234,567 | `00ff` |", "12,000 tokens"),
        *("987 documents", "stand in `dev.csv`, `test.csv`: 3 paragraphs", "Texts an update: 256"),
        *("| Hidden tokens | 43.2 % |", "--model 'my runs/a' --train", "AutoModelForMaskedLM", "1 h 2 min"),
        *("bertsmith pretrain --objective spanbert", "recipe.yaml"),
    ):
        assert told in body, told


def test_a_bare_run_has_a_card_too():
    header, body = parts_of(pretraining_card(BARE, folder="out"))
    assert header["pipeline_tag"] == "feature-extraction"
    assert "How good it is" not in body
    assert "What it cost" not in body
    assert "Left out" not in body


def test_text_from_users_stays_text():
    corpus = CorpusFacts(
        sources=("x",), tokens=1, documents=1, shards=1, vocabulary=1, files=(SourceFile("a`|*b.txt", 1, "0"),)
    )
    _, body = parts_of(pretraining_card(full_run(title="# *x* <b>", corpus=corpus), folder="out"))
    assert body.startswith("\n# \\# \\*x\\* \\<b\\>\n")
    assert "`` a`\\|*b.txt ``" in body
