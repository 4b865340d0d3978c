import io

import numpy as np
import pytest
import sentencepiece
from transformers import AlbertTokenizer, AutoTokenizer, XLMRobertaTokenizer

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer
from bertsmith.text.spm_file import read_model

from .samples import TEXTS

ALBERT = {"pad_piece": "<pad>", "control_symbols": ["[CLS]", "[SEP]"], "user_defined_symbols": ["[MASK]"]}
SENTENCES = [text for text in TEXTS if text.strip() and "[" not in text and "aaa" not in text]


def train(path, **options):
    model = io.BytesIO()
    numbered = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3),
        model_writer=model,
        vocab_size=220,
        hard_vocab_limit=False,
        character_coverage=0.98,
        minloglevel=2,
        **numbered | options,
    )
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def test_the_file_is_read_as_its_library_reads_it(tmp_path):
    library = train(tmp_path / "some.model", **ALBERT)
    pieces = read_model(tmp_path / "some.model")
    assert [name for name, _ in pieces.scores] == [library.id_to_piece(i) for i in range(library.vocab_size())]
    scores = [library.get_score(i) for i in range(library.vocab_size())]
    np.testing.assert_allclose([score for _, score in pieces.scores], scores)
    assert pieces.unk == library.unk_id()
    assert pieces.control == {i for i in range(library.vocab_size()) if library.is_control(i)}
    assert len(pieces.charsmap) > 1000


def test_plain_models_cut_as_the_library_does(tmp_path):
    library = train(tmp_path / "some.model", **ALBERT)
    ours = Tokenizer.from_folder(tmp_path)
    for text, made in zip(SENTENCES, ours.tokenize(SENTENCES), strict=True):
        assert made.token_ids.tolist() == library.encode(text)


def test_albert_as_in_transformers(tmp_path):
    train(tmp_path / "spiece.model", **ALBERT)
    ours, theirs = Tokenizer.from_folder(tmp_path), AlbertTokenizer.from_pretrained(tmp_path)
    made = ours.tokenize(SENTENCES)
    assert [m.token_ids.tolist() for m in made] == theirs(SENTENCES, add_special_tokens=False)["input_ids"]
    pair = ours.assemble(made[0].token_ids, made[1].token_ids)
    assert pair.token_ids.tolist() == theirs(*SENTENCES[:2])["input_ids"]
    assert pair.segment_ids.tolist() == [0] * (len(made[0]) + 2) + [1] * (len(made[1]) + 1)
    ours.save(tmp_path / "saved")
    saved = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert saved(*SENTENCES[:2])["input_ids"] == pair.token_ids.tolist()
    assert Tokenizer.from_folder(tmp_path / "saved").fingerprint == ours.fingerprint


def test_xlm_roberta_as_in_transformers(tmp_path):
    train(tmp_path / "sentencepiece.bpe.model", pad_id=-1, unk_id=0, bos_id=1, eos_id=2)
    ours, theirs = Tokenizer.from_folder(tmp_path), XLMRobertaTokenizer.from_pretrained(tmp_path)
    assert ours.special.model_dump() == {"pad": 1, "unk": 3, "cls": 0, "sep": 2, "mask": ours.vocab_size - 1}
    made = ours.tokenize(SENTENCES)
    assert [m.token_ids.tolist() for m in made] == theirs(SENTENCES, add_special_tokens=False)["input_ids"]
    pair = ours.assemble(made[0].token_ids, made[1].token_ids)
    assert pair.token_ids.tolist() == theirs(*SENTENCES[:2])["input_ids"]
    assert not pair.segment_ids.any()


@pytest.mark.parametrize("text", ["[SEP]", "a [CLS] b", "[MASK]", "<pad>"])
def test_no_text_becomes_a_special_token(tmp_path, text):
    train(tmp_path / "spiece.model", **ALBERT)
    ours = Tokenizer.from_folder(tmp_path)
    (made,) = ours.tokenize([text])
    assert not (ours.special_ids - {ours.special.unk}) & set(made.token_ids.tolist())


def test_offsets_lead_back_to_the_text(tmp_path):
    train(tmp_path / "spiece.model", **ALBERT)
    ours = Tokenizer.from_folder(tmp_path)
    for text, made in zip(SENTENCES, ours.tokenize(SENTENCES), strict=True):
        starts, ends = made.offsets.T
        assert (np.diff(starts) >= 0).all()
        assert (ends <= len(text)).all()
        assert all(text[start:end] == text[start:end].strip() for start, end in made.offsets.tolist())
    text = "We unbelievable  players, played"
    (made,) = ours.tokenize([text])
    for name, (start, end) in zip(ours.tokens(made.token_ids), made.offsets.tolist(), strict=True):
        assert name in ("▁", "<unk>") or text[start:end].lower() == name.removeprefix("▁")


def test_what_cannot_be_read_is_said(tmp_path):
    train(tmp_path / "spiece.model", **ALBERT)
    whole = (tmp_path / "spiece.model").read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:40], b"", b"\xff" * 64):
        (tmp_path / "spiece.model").write_bytes(damaged)
        with pytest.raises(UserError, match="not a complete SentencePiece unigram model"):
            Tokenizer.from_folder(tmp_path)
    train(tmp_path / "spiece.model", model_type="bpe", **ALBERT)
    with pytest.raises(UserError, match=r"not of the kind unigram.*tokenizer.json"):
        Tokenizer.from_folder(tmp_path)
