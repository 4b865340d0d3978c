"""The format: what TensorFlow wrote is read number by number, and damage is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bertsmith.encoder.tensorbundle import TensorBundle, prefixes
from bertsmith.encoder.tensorbundle.checksum import crc32c, masked
from bertsmith.encoder.tensorbundle.entry import read_entry, read_header
from bertsmith.encoder.tensorbundle.slices import slice_key
from bertsmith.encoder.tensorbundle.snappy import decompressed
from bertsmith.encoder.tensorbundle.table import entries
from bertsmith.encoder.tensorbundle.wire import Malformed, fields, number, varint
from bertsmith.errors import UserError

from . import layouts

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = {"bert": 4, "simbert": 1, "roformer": 1, "albert": 2, "electra": 1}


def bundle(name: str) -> TensorBundle:
    (prefix,) = prefixes(FIXTURES / name)
    return TensorBundle(prefix)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_what_tensorflow_was_given(name):
    found = bundle(name)
    assert found.shards == NAMES[name]
    known = layouts.variables(name)
    assert known.keys() <= found.variables.keys()
    for variable, shape in known.items():
        values = found.read(variable)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, layouts.numbers(variable, shape))


def test_slots_and_counters_are_there_too():
    found = bundle("bert")
    slots = found.variables.keys() - layouts.variables("bert").keys()
    assert slots == {"global_step"} | {
        f"bert/encoder/layer_0/output/{leaf}/{slot}"
        for leaf in ("dense/kernel", "dense/bias", "LayerNorm/beta", "LayerNorm/gamma")
        for slot in ("adam_m", "adam_v")
    }
    assert found.read("global_step") == 1000


@pytest.mark.parametrize("name", layouts.DTYPES)
def test_types(name):
    dtype, shape = layouts.DTYPES[name]
    values = bundle("types").read(name)
    if dtype == "bfloat16":
        rounded = layouts.numbers(name, shape).view(np.uint32)
        rounded = ((rounded + 0x7FFF + (rounded >> 16 & 1)) & 0xFFFF0000).view(np.float32)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, rounded)
    else:
        assert values.dtype == dtype
        np.testing.assert_array_equal(values, layouts.numbers(name, shape, dtype))


@pytest.mark.parametrize("name", layouts.PARTITIONED)
def test_partitioned_variables_are_put_together(name):
    found = bundle("types")
    assert found.variables[name].parts == 3
    shape, _ = layouts.PARTITIONED[name]
    np.testing.assert_array_equal(found.read(name), layouts.numbers(name, shape))


def test_text_is_no_numbers():
    with pytest.raises(UserError, match=r"words: it holds no numbers \(TensorFlow's type 7\)"):
        bundle("types").read("words")


# Damage.


@pytest.fixture
def copy(tmp_path) -> Path:
    shutil.copytree(FIXTURES / "bert", tmp_path / "bert")
    return tmp_path / "bert" / "bert_model.ckpt"


def shard(copy: Path, number: int) -> Path:
    return copy.with_name(f"{copy.name}.data-{number:05d}-of-00004")


def first_in(copy: Path, number: int) -> str:
    """A variable whose numbers stand in a shard."""
    found = TensorBundle(copy)
    return next(
        name
        for name, entry in found._entries.items()
        if entry.shard == number and not entry.slices and name[:1] != b"\0"
    ).decode()


def test_one_flipped_bit_is_found(copy):
    name = first_in(copy, 2)
    path = shard(copy, 2)
    content = bytearray(path.read_bytes())
    content[TensorBundle(copy)._entries[name.encode()].offset + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"variable {name}: its checksum in {path.name} is wrong") as caught:
        TensorBundle(copy).read(name)
    assert caught.value.code == "broken_weights"
    assert caught.value.where == str(path)


def test_a_shard_cut_short_or_missing_is_named(copy):
    path = shard(copy, 2)
    path.write_bytes(path.read_bytes()[:100])
    last = max(
        (entry.offset, name)
        for name, entry in TensorBundle(copy)._entries.items()
        if entry.shard == 2 and name[:1] != b"\0"
    )
    with pytest.raises(UserError, match=f"{last[1].decode()}: {path.name} ends before it does"):
        TensorBundle(copy).read(last[1].decode())
    path.unlink()
    with pytest.raises(UserError, match=f"{path.name} is missing"):
        TensorBundle(copy).read(last[1].decode())


def test_a_part_of_a_partitioned_variable_damaged_names_the_variable(copy):
    path = shard(copy, 3)
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(UserError, match="variable bert/embeddings/word_embeddings: its checksum"):
        TensorBundle(copy).read("bert/embeddings/word_embeddings")


@pytest.mark.parametrize("place", [0, 40, 700, -60, -45, -1])
def test_any_damage_of_the_index_is_found(copy, place):
    path = copy.with_name("bert_model.ckpt.index")
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bert_model\.ckpt\.index is damaged") as caught:
        TensorBundle(copy)
    assert caught.value.code == "broken_weights"


@pytest.mark.parametrize("kept", [0, 10, 48, 500, 2300])
def test_an_index_cut_short_is_found(copy, kept):
    path = copy.with_name("bert_model.ckpt.index")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="damaged or no index"):
        TensorBundle(copy)


def test_no_such_variable_or_index(copy):
    with pytest.raises(UserError, match="variable nonsense: the index has no entry"):
        TensorBundle(copy).read("nonsense")
    with pytest.raises(UserError, match="cannot read"):
        TensorBundle(copy.with_name("other"))


# The pieces, by hand.


def test_checksum_of_rfc_3720():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0
    assert masked(0) == 0xA282EAD8


def slowly(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize("size", [1, 3, 4, 5, 63, 64, 65, 127, 1000, 4096, 10_001])
def test_checksum_of_any_length_equals_bit_by_bit(size):
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    assert crc32c(data) == slowly(data)
    assert crc32c(data[size // 3 :], crc32c(data[: size // 3])) == crc32c(data)


def test_snappy_by_hand():
    # 11 bytes: the literal "abcd", then 7 bytes from 4 back (they overlap themselves)
    assert decompressed(bytes([11, 3 << 2, *b"abcd", (7 - 4) << 2 | 1, 4])) == b"abcdabcdabc"
    assert decompressed(bytes([8, 3 << 2, *b"abcd", (4 - 1) << 2 | 2, 4, 0])) == b"abcdabcd"
    assert decompressed(bytes([8, 3 << 2, *b"abcd", (4 - 1) << 2 | 3, 4, 0, 0, 0])) == b"abcdabcd"
    long = bytes(range(70))
    assert decompressed(bytes([70, 60 << 2, 69, *long])) == long
    for broken in (b"\x05\x00a", bytes([4, 1, 9]), bytes([8, 3 << 2, *b"abcd", 2, 4])):
        with pytest.raises(Malformed):
            decompressed(broken)


def test_a_compressed_block_is_read(copy):
    """The same index, its blocks written as Snappy literals."""
    path = copy.with_name("bert_model.ckpt.index")
    assert dict(entries(compressed(path.read_bytes()))) == dict(entries(path.read_bytes()))


def compressed(content: bytes) -> bytes:
    _, place = varint(content[-48:], 0)
    _, place = varint(content[-48:], place)
    offset, place = varint(content[-48:], place)
    size, _ = varint(content[-48:], place)
    index = content[offset : offset + size]
    made, handles = b"", []
    at = 0
    while at < len(index) - 8:
        _shared, at = varint(index, at)
        own, at = varint(index, at)
        length, at = varint(index, at)
        key, handle = index[at : at + own], index[at + own : at + own + length]
        at += own + length
        start, after = varint(handle, 0)
        extent, _ = varint(handle, after)
        body = literal(content[start : start + extent])
        handles.append((key, bytes_of(len(made)) + bytes_of(len(body) - 1)))
        made += sealed(body)
    block = b"".join(bytes([0, len(key), len(handle)]) + key + handle for key, handle in handles)
    block += bytes(4) + (1).to_bytes(4, "little")
    where = bytes_of(len(made)) + bytes_of(len(block))
    made += sealed(block + b"\0")
    return made + (bytes([0, 0]) + where).ljust(40, b"\0") + content[-8:]


def literal(body: bytes) -> bytes:
    return bytes_of(len(body)) + bytes([61 << 2]) + (len(body) - 1).to_bytes(2, "little") + body + b"\1"


def sealed(body: bytes) -> bytes:
    return body + masked(crc32c(body)).to_bytes(4, "little")


def bytes_of(value: int) -> bytes:
    result = b""
    while value >= 0x80:
        result, value = result + bytes([value & 0x7F | 0x80]), value >> 7
    return result + bytes([value])


def test_keys_of_parts_by_hand():
    # TensorFlow's ordered_code_test: lengths and flipped signs
    assert slice_key("a", [(0, 1)]) == b"\0" + b"a\0\1" + b"\1\1" + b"\x80\x81"
    assert slice_key("", [(0, -1)]) == b"\0" + b"\0\1" + b"\1\1" + b"\x80\x7f"
    assert slice_key("", [(63, 64)])[-3:] == b"\xbf\xc0\x40"
    assert slice_key("", [(8191, 8192)])[-5:] == b"\xdf\xff" + b"\xe0\x20\x00"
    assert slice_key("\0", [])[:6] == b"\0" + b"\0\xff\0\1" + b"\0"


def test_messages_by_hand():
    assert list(fields(b"\x08\x96\x01\x12\x01a\x1d\1\0\0\0")) == [(1, 150), (2, b"a"), (3, 1)]
    assert number(2**64 - 1) == -1
    for broken in (b"\x08\x96", b"\x12\x05a", b"\x1d\1", b"\x0b", b"\x80" * 11):
        with pytest.raises(Malformed):
            list(fields(broken))
    header = read_header(b"\x08\x02\x10\x01")
    assert (header.shards, header.order) == (2, ">")
    with pytest.raises(Malformed, match="version 2"):
        read_header(b"\x08\x01\x1a\x02\x10\x02")
    with pytest.raises(Malformed, match="unknown rank"):
        read_entry(b"\x08\x01\x12\x02\x18\x01")
    assert read_entry(b"\x08\x01\x12\x04\x12\x02\x08\x03").shape == (3,)
