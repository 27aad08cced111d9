"""Whatever comes over the line: no crash, no growth, nothing made up, and in step again within one frame."""

from __future__ import annotations

import random
import tracemalloc
from binascii import crc_hqx
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import cobs
from firmware_bridge.protocol.frames import LONGEST_FRAME, LONGEST_MESSAGE, Deframer, encode_frame
from firmware_bridge.protocol.messages import McuMessage, RawSample, Samples, decode_message, encode_message

FIXED = settings(max_examples=150, derandomize=True, deadline=None)  # a wrong CRC passes once in 65 536 by right
MESSAGES = st.binary(min_size=2, max_size=LONGEST_MESSAGE)


def _as_is(message: bytes) -> bytes:
    return message


def _samples(seed: int, count: int = 16) -> Samples:
    rng = random.Random(seed)
    rows = tuple(
        RawSample(rng.randrange(8), 0, rng.randrange(256), 1000 * k, rng.randrange(-(1 << 23), 1 << 23), 15, 3)
        for k in range(count)
    )
    return Samples(seed & 0xFFFF, 3, rng.randrange(1 << 32), rows)


def _stream(seeds: range) -> tuple[list[Samples], list[bytes]]:
    messages = [_samples(seed) for seed in seeds]
    return messages, [encode_frame(encode_message(message)) for message in messages]


def _fed_in_pieces(data: bytes, rng: random.Random) -> tuple[list[McuMessage], Deframer[McuMessage]]:
    deframer = Deframer(decode_message)
    found: list[McuMessage] = []
    while data:
        size = rng.randrange(1, 400)
        found += [received.message for received in deframer.feed(data[:size])]
        data = data[size:]
    return found, deframer


@FIXED
@given(st.binary(max_size=1200))
def test_cobs_gives_back_what_it_was_given_and_never_a_zero(plain: bytes) -> None:
    coded = cobs.encode(plain)
    assert 0 not in coded
    assert len(plain) + 1 <= len(coded) <= len(plain) + 1 + len(plain) // 254
    assert cobs.decode(coded) == plain


@FIXED
@given(st.binary(max_size=600))
def test_cobs_takes_any_bytes_and_refuses_what_no_encoder_makes(coded: bytes) -> None:
    plain = cobs.decode(coded)
    if plain is not None:
        assert cobs.decode(cobs.encode(plain)) == plain
        assert 0 not in coded


@FIXED
@given(st.lists(MESSAGES, max_size=12), st.lists(st.integers(0, 700), max_size=8))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(message) for message in messages)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    deframer = Deframer(_as_is)
    found = []
    for begin, end in pairwise(edges):
        for received in deframer.feed(stream[begin:end]):
            found.append(received.message)
            ends = len(b"".join(encode_frame(m) for m in messages[: len(found)]))
            assert end - received.bytes_after == ends  # so the moment of its arrival can be told from that of the piece
    assert found == messages
    assert deframer.counts.damaged == deframer.counts.oversize == 0


@pytest.mark.parametrize("size", [0, 1, LONGEST_MESSAGE + 1])
def test_a_message_that_no_frame_may_hold_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a message has 2 to 248 bytes"):
        encode_frame(bytes(size))


def test_every_single_bit_flip_costs_two_frames_at_most_and_makes_nothing_up() -> None:
    messages, frames = _stream(range(5))
    stream = b"".join(frames)
    begin, end = len(frames[0]), len(frames[0]) + len(frames[1])
    for at in range(begin, end):
        for bit in range(8):
            spoiled = bytearray(stream)
            spoiled[at] ^= 1 << bit
            deframer = Deframer(decode_message)
            found = [received.message for received in deframer.feed(bytes(spoiled))]
            # its own frame, and where the flip hit the zero that ends it, the one after: a CRC finds every single bit
            expected = [messages[0], *messages[3 if at == end - 1 else 2 :]]
            assert found == expected, f"bit {bit} of byte {at}"


def test_two_and_three_flipped_bits_in_a_message_never_pass() -> None:
    rng = random.Random(5)
    message = encode_message(_samples(1))
    whole = message + crc_hqx(message, 0xFFFF).to_bytes(2, "big")
    for _ in range(20_000):
        spoiled = bytearray(whole)
        for bit in rng.sample(range(8 * len(whole)), rng.choice((2, 3))):
            spoiled[bit // 8] ^= 1 << bit % 8
        assert crc_hqx(bytes(spoiled), 0xFFFF) != 0


def test_truncation_anywhere_costs_the_cut_frame_and_the_one_it_runs_into() -> None:
    messages, frames = _stream(range(4))
    for keep in range(len(frames[1]) - 1):
        deframer = Deframer(decode_message)
        found = [r.message for r in deframer.feed(frames[0] + frames[1][:keep] + frames[2] + frames[3])]
        assert found == [messages[0], *messages[3 if keep else 2 :]], f"cut after {keep}"


def test_two_streams_spliced_anywhere_give_their_own_messages_alone() -> None:
    rng = random.Random(11)
    first, first_frames = _stream(range(8))
    second, second_frames = _stream(range(100, 108))
    a, b = b"".join(first_frames), b"".join(second_frames)
    for _ in range(400):
        i, j = rng.randrange(len(a)), rng.randrange(len(b))
        found, _ = _fed_in_pieces(a[:i] + b[j:], rng)
        whole_a = a[:i].count(0)
        whole_b = b[j:].count(0)
        clean = j == 0 or b[j - 1] == 0  # the second stream was joined at a frame's begin
        joined_clean = i == 0 or a[i - 1] == 0
        expected = first[:whole_a] + second[len(second) - whole_b + (0 if clean and joined_clean else 1) :]
        assert found == expected


def test_random_bytes_give_no_sample_beyond_what_a_crc_of_16_bits_lets_through() -> None:
    rng = random.Random(2)
    found, deframer = _fed_in_pieces(rng.randbytes(1 << 21), rng)
    counts = deframer.counts
    tried = counts.good + counts.damaged + counts.unknown
    assert tried > 5000
    assert counts.good + counts.unknown <= 1 + 4 * tried / 65536
    assert len(found) == counts.good
    assert counts.bytes_in == 1 << 21


@pytest.mark.parametrize("filler", [b"\x01", b"\xff", b"\x55", b"\x00"])
def test_endless_bytes_of_one_kind_take_no_memory_and_the_next_frame_is_found(filler: bytes) -> None:
    deframer = Deframer(decode_message)
    tracemalloc.start()
    try:
        for _ in range(100):
            assert deframer.feed(filler * 4096) == []
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    message = _samples(1)
    frame = encode_frame(encode_message(message))
    found = [received.message for received in deframer.feed(b"\0" + frame)]
    assert found == [message]
    assert deframer.counts.oversize == (0 if filler == b"\0" else 1)


def test_a_frame_one_byte_too_long_is_oversize_and_the_longest_one_is_good() -> None:
    longest = bytes([7]) * LONGEST_MESSAGE
    frame = encode_frame(longest)
    assert len(frame) == LONGEST_FRAME
    deframer = Deframer(_as_is)
    assert [r.message for r in deframer.feed(frame)] == [longest]
    assert deframer.feed(b"\x01" * LONGEST_FRAME + b"\0") == []
    assert deframer.counts.oversize == 1


def test_forgetting_drops_the_frame_begun_and_nothing_else() -> None:
    (first, second), (a, b) = _stream(range(2))
    deframer = Deframer(decode_message)
    assert [r.message for r in deframer.feed(a + b[:20])] == [first]
    deframer.forget()
    assert [r.message for r in deframer.feed(b)] == [second]
    assert deframer.counts.damaged == 0
