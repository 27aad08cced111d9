"""The window over the outbox: what goes out next, what counts as sent, and what is sent again. No network."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest
from uplink_bed import BOOT, MemoryOutbox

from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import BackOff, Pace
from edge.stream.uplink.sender import MOST_BYTES, MOST_ENTRIES, Sender, WireForm
from edge.stream.wire import decode_items

NOT_AUTHORIZED, TOO_LARGE = 135, 149


def a_sender(outbox: MemoryOutbox, acknowledged: bool = False, **form: object) -> Sender:
    sender = Sender(outbox, WireForm(BOOT, False, 10.0, **form), acknowledged, Pace(), ThrottledLog())  # type: ignore[arg-type]
    sender.begin()
    return sender


def numbers(payload: bytes) -> list[tuple[int, int]]:
    return [(item.boot, item.seq) for item in decode_items(payload)]


def test_a_backlog_goes_out_in_large_messages_and_in_order() -> None:
    """P2, P4: order holds, and a message is bounded by entries and by bytes."""
    outbox = MemoryOutbox()
    outbox.add(1000)
    sender = a_sender(outbox)
    got = []
    while message := sender.next(1 << 20, 0.0):
        assert len(message.payload) <= MOST_BYTES
        assert message.count <= MOST_ENTRIES
        got += numbers(message.payload)
        sender.sent(message, 0.0)
    assert got == [(BOOT, seq) for seq in range(1, 1001)]
    assert outbox.waiting() == 0


def test_acknowledgements_out_of_order_move_done_on_only_without_gaps() -> None:
    """P1: an entry whose PUBACK hasn't come is never forgotten."""
    outbox = MemoryOutbox()
    outbox.add(600)
    sender = a_sender(outbox)
    first, second, third = (sender.next(MOST_BYTES, 0.0) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    sender.sent(third, 0.0)
    sender.sent(second, 0.0)
    assert outbox.done_to == {}
    sender.sent(first, 0.0)
    assert outbox.done_to == {BOOT: third.last}


def test_what_was_in_flight_when_the_connection_was_lost_is_sent_again_as_historical() -> None:
    """P2: at least once; what comes a second time says so."""
    outbox = MemoryOutbox()
    outbox.add(3)
    sender = a_sender(outbox)
    before = sender.next(MOST_BYTES, 0.0)
    assert before is not None
    assert [item.historical for item in decode_items(before.payload)] == [False] * 3
    sender.begin()
    outbox.add(1)
    again = sender.next(MOST_BYTES, 0.0)
    assert again is not None
    assert [item.historical for item in decode_items(again.payload)] == [True, True, True, False]
    sender.sent(before, 0.0)  # an acknowledgement of the lost connection counts for nothing
    assert outbox.done_to == {}


def test_what_was_decided_long_ago_or_by_an_earlier_boot_is_historical() -> None:
    outbox = MemoryOutbox()
    outbox.add(1, boot=BOOT - 1)
    outbox.add(1, decided_wall_ns=time.time_ns() - 11 * 10**9)
    outbox.add(1)
    sender = a_sender(outbox)
    items = []
    while message := sender.next(MOST_BYTES, 0.0):
        items += decode_items(message.payload)
    assert [(item.boot, item.historical) for item in items] == [(BOOT - 1, True), (BOOT, True), (BOOT, False)]


def test_a_refused_message_is_kept_and_sent_again_after_a_growing_wait(caplog: pytest.LogCaptureFixture) -> None:
    """P1, P11: "not authorized" on PUBACK isn't delivery. One clear line, not one per try."""
    outbox = MemoryOutbox()
    outbox.add(5)
    sender = a_sender(outbox)
    now_s, waits = 0.0, []
    with caplog.at_level(logging.INFO, "shelfedge.uplink"):
        for _ in range(10):
            message = sender.next(MOST_BYTES, now_s)
            assert message is not None
            assert message.first == 1
            sender.refused(message, NOT_AUTHORIZED, "Not authorized", "shelfedge/1/s/n/event", now_s)
            assert sender.next(MOST_BYTES, now_s) is None
            due_s = sender.due_s(now_s)
            assert due_s is not None
            waits.append(due_s - now_s)
            now_s = due_s
    assert outbox.done_to == {}
    assert len(caplog.records) == 1
    assert "not authorized; check the broker's ACL" in caplog.text
    assert 0.5 <= waits[0] <= 1.0
    assert 30.0 <= waits[-1] <= 60.0
    message = sender.next(MOST_BYTES, now_s)
    assert message is not None
    sender.sent(message, now_s)
    assert outbox.waiting() == 0


def test_a_message_that_is_too_large_is_sent_again_in_smaller_ones() -> None:
    outbox = MemoryOutbox()
    outbox.add(200)
    sender = a_sender(outbox)
    now_s = 0.0
    sizes = []
    for _ in range(200):
        message = sender.next(MOST_BYTES, now_s)
        if message is None:
            break
        sizes.append(len(message.payload))
        if len(message.payload) > 500:
            sender.refused(message, TOO_LARGE, "Packet too large", "t", now_s)
            now_s += 61.0
        else:
            sender.sent(message, now_s)
    assert outbox.waiting() == 0
    assert sizes[0] > 4000
    assert max(sizes[6:]) <= 500


def test_an_entry_larger_than_the_brokers_limit_is_kept_and_said(caplog: pytest.LogCaptureFixture) -> None:
    outbox = MemoryOutbox()
    outbox.add(1)
    sender = a_sender(outbox)
    assert sender.next(20, 0.0) is None
    assert sender.next(20, 0.1) is None
    assert caplog.text.count("raise max_packet_size") == 1
    assert outbox.waiting() == 1
    assert sender.next(1000, 5.0) is not None


def test_only_the_consumers_word_counts_where_it_acknowledges() -> None:
    """P1: a broker's PUBACK isn't durability."""
    outbox = MemoryOutbox()
    outbox.add(10)
    sender = a_sender(outbox, acknowledged=True)
    message = sender.next(MOST_BYTES, 0.0)
    assert message is not None
    sender.sent(message, 0.0)
    assert outbox.done_to == {}
    sender.consumer_ack(BOOT, 7, 1.0)
    assert outbox.done_to == {BOOT: 7}
    sender.consumer_ack(BOOT, 5, 1.0)  # an old one, come late
    assert outbox.done_to == {BOOT: 7}


@pytest.mark.parametrize(("boot", "seq"), [(BOOT, 11), (BOOT, 1 << 63), (BOOT + 1, 1), (0, 0xFFFF)])
def test_an_acknowledgement_of_what_was_never_sent_is_ignored(
    boot: int, seq: int, caplog: pytest.LogCaptureFixture
) -> None:
    """P1: nobody's mistake makes the node forget what nobody has."""
    outbox = MemoryOutbox()
    outbox.add(20)
    sender = a_sender(outbox, acknowledged=True)
    message = sender.next(300, 0.0)
    assert message is not None
    assert message.last < 20
    sender.consumer_ack(boot, seq if boot != BOOT else max(seq, message.last + 1), 1.0)
    assert outbox.done_to == {}
    assert "is ignored; the node has sent no such entry" in caplog.text


def test_an_acknowledgement_of_an_earlier_boot_counts_before_it_is_sent_again() -> None:
    outbox = MemoryOutbox()
    outbox.add(5, boot=BOOT - 1)
    sender = a_sender(outbox, acknowledged=True)
    sender.consumer_ack(BOOT - 1, 5, 0.0)
    assert outbox.waiting() == 0


def test_without_an_acknowledgement_everything_is_sent_again_with_growing_patience() -> None:
    """P2: first after 60 s, then 120 s ... up to an hour; what is new doesn't wait for it."""
    outbox = MemoryOutbox()
    outbox.add(3)
    sender = a_sender(outbox, acknowledged=True)
    now_s, gaps = 0.0, []
    for _ in range(9):
        message = sender.next(MOST_BYTES, now_s)
        assert message is not None
        assert message.first == 1
        sender.sent(message, now_s)
        assert sender.next(MOST_BYTES, now_s) is None
        due_s = sender.due_s(now_s)
        assert due_s is not None
        gaps.append(due_s - now_s)
        now_s = due_s
    assert gaps == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0, 3600.0]
    message = sender.next(MOST_BYTES, now_s)
    assert message is not None
    sender.sent(message, now_s)
    sender.consumer_ack(BOOT, 2, now_s)
    assert sender.due_s(now_s) == now_s + 60.0  # it is there: patience begins anew
    again = sender.next(MOST_BYTES, now_s + 60.0)
    assert again is not None
    assert again.first == 3
    sender.consumer_ack(BOOT, 3, now_s + 61.0)
    assert sender.due_s(now_s + 61.0) is None


def test_an_entry_that_cant_be_read_is_sent_alone_as_it_is() -> None:
    """P2, P5: after a downgrade the outbox may hold forms that this program doesn't know."""
    outbox = MemoryOutbox()
    outbox.add(5)
    outbox.kept[2] = replace(outbox.kept[2], payload=b"\xffnot ours")
    sender = a_sender(outbox)
    sent = []
    while message := sender.next(MOST_BYTES, 0.0):
        sent.append((message.first, message.last))
        sender.sent(message, 0.0)
    assert sent == [(1, 2), (3, 3), (4, 5)]
    assert outbox.waiting() == 0


def test_waits_double_are_shortened_at_random_and_begin_anew() -> None:
    waits = BackOff(1.0, 60.0, lambda: 0.0)
    assert [waits.wait_s() for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    waits.reset()
    assert waits.wait_s() == 1.0
    halved = BackOff(1.0, 60.0, lambda: 0.999999)
    assert 0.5 <= halved.wait_s() < 0.51
