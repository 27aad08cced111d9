"""Commands: who may give which, what is done once, what is refused with a sentence, and what is too much."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uplink_bed import BOOT, NAMES, MemoryOutbox, secret

from edge.config.live_schema import CommandOptions
from edge.stream.outbox.records import Row
from edge.stream.uplink.command_keys import load_command_keys, sign_command
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.commands import CommandRefused, Commands
from edge.stream.uplink.errors import CredentialError
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import Pace
from edge.stream.uplink.resends import MOST_AT_ONCE, Resends
from edge.stream.uplink.sender import Sender, WireForm
from edge.stream.uplink.topics import Names

KEY = bytes(range(16))


class Bench:
    """Commands with handlers that count; time passes so that no rate limit is met."""

    def __init__(self, options: CommandOptions, memory: CommandMemory | None = None, boot: int = BOOT) -> None:
        self.done: list[Mapping[str, Any]] = []
        handlers = dict.fromkeys(("resend", "rebirth", "report"), self._do)
        self.commands = Commands(
            options, NAMES, boot, handlers, ThrottledLog(), CommandMemory() if memory is None else memory
        )
        self.now_s = 0.0

    def _do(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self.done.append(arguments)
        return {"text": f"done {len(self.done)}"}

    def give(self, name: str, payload: bytes | dict[str, Any]) -> dict[str, Any]:
        self.now_s += 10.0
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        answer = self.commands.take(name, data, self.now_s)
        assert answer is not None
        found = json.loads(answer)
        assert isinstance(found, dict)
        assert isinstance(found["text"], str)
        return found


@pytest.fixture
def keyed(tmp_path: Path) -> Bench:
    path = secret(tmp_path / "keys", f"# keys\n\nback-office:{KEY.hex()}\nreader:{'ab' * 20} resend\n")
    return Bench(CommandOptions(resend="key", rebirth="key", report="off", key_file=path))


def test_a_command_is_done_and_answered_with_its_id() -> None:
    bench = Bench(CommandOptions())
    assert bench.give("resend", {"id": "r1", "from_seq": 5}) == {"id": "r1", "ok": True, "text": "done 1"}
    assert bench.done == [{"from_seq": 5}]


def test_a_repeated_id_is_answered_again_but_not_done_again() -> None:
    """MQTT delivers at least once: a doubled command isn't two."""
    bench = Bench(CommandOptions())
    first = bench.give("rebirth", {"id": "a"})
    assert bench.give("rebirth", {"id": "a"}) == first
    assert len(bench.done) == 1
    assert bench.give("report", {"id": "a"})["ok"]  # another command's ids are its own
    other = bench.give("rebirth", {"id": "a", "x": 1})
    assert not other["ok"]
    assert "used before" in other["text"]


def test_the_memory_of_ids_is_bounded() -> None:
    """P4."""
    memory = CommandMemory()
    bench = Bench(CommandOptions(), memory)
    for number in range(1000):
        bench.give("rebirth", {"id": str(number)})
    assert memory.answers_kept <= 256


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"7", b"null", b"{}", b'{"id": 5}', b'{"id": ""}', b'{"id": "\\ud800"}',
        b'{"id": "a\\u0000"}', b'{"id": "' + b"x" * 129 + b'"}', b"[" * 4000,
        b'{"id": "a", "x": "' + b"y" * 5000 + b'"}',
    ],
)  # fmt: skip
def test_what_is_malformed_gets_an_answer_that_says_so(payload: bytes) -> None:
    bench = Bench(CommandOptions())
    answer = bench.give("rebirth", payload)
    assert answer["ok"] is False
    assert bench.done == []


@given(payload=st.binary(max_size=200), name=st.text(max_size=40))
def test_no_bytes_whatever_raise(payload: bytes, name: str) -> None:
    commands = Commands(CommandOptions(), NAMES, BOOT, {}, ThrottledLog(), CommandMemory())
    answer = commands.take(name, payload, 0.0)
    assert answer is None or json.loads(answer)["ok"] is False


def test_an_unknown_command_is_refused_and_an_impossible_name_isnt_answered() -> None:
    bench = Bench(CommandOptions())
    answer = bench.give("reboot", {"id": "a"})
    assert not answer["ok"]
    assert "resend, rebirth, report" in answer["text"]
    assert not bench.give("key", {"id": "a"})["ok"]
    assert bench.commands.take("Ü" * 100, b'{"id":"a"}', 1e6) is None


def test_a_flood_is_dropped() -> None:
    """P3, P4: whoever floods gets few answers, and each takes a place that others find again soon."""
    bench = Bench(CommandOptions())
    answers = [bench.commands.take("rebirth", json.dumps({"id": str(n)}).encode(), 1.0) for n in range(1000)]
    assert 0 < sum(answer is not None for answer in answers) <= 25
    assert bench.commands.take("rebirth", b'{"id":"later"}', 10.0) is not None


def test_of_a_flood_one_a_second_hears_that_it_is_too_fast() -> None:
    """So that who asks honestly knows to ask later, and with a new id."""
    bench = Bench(CommandOptions())
    told = []
    for number in range(100):
        answer = bench.commands.take("rebirth", json.dumps({"id": str(number)}).encode(), 1.0 + number * 0.01)
        found = json.loads(answer) if answer is not None else {"ok": True}
        if not found["ok"]:
            told.append(found)
    assert [(each["id"], each["retry_s"]) for each in told] == [("20", 1.0)]
    assert "at most 2 a second" in told[0]["text"]
    assert bench.commands.take("rebirth", b"not JSON", 2.01) is not None


def test_a_flood_of_rubbish_isnt_even_read() -> None:
    """P3, P4."""
    bench = Bench(CommandOptions())
    for number in range(20):
        bench.commands.take("rebirth", json.dumps({"id": str(number)}).encode(), 1.0)
    assert bench.commands.take("rebirth", b"{", 1.0) is None
    assert bench.commands.take("rebirth", b'{"id": "a"}', 1.0) is None


def test_a_signed_command_isnt_done_again_by_an_uplink_that_was_started_again(tmp_path: Path) -> None:
    """P11: the node hands all uplinks of a boot the same memory."""
    path = secret(tmp_path / "keys", f"back-office:{KEY.hex()}\n")
    memory = CommandMemory()
    options = CommandOptions(resend="key", rebirth="key", report="off", key_file=path)
    first, second = Bench(options, memory), Bench(options, memory)
    recorded = sign_command("back-office", KEY, NAMES, "rebirth", BOOT, {"id": "s1"})
    answer = first.give("rebirth", recorded)
    assert second.give("rebirth", recorded) == answer
    for number in range(300):
        first.give("rebirth", sign_command("back-office", KEY, NAMES, "rebirth", BOOT, {"id": str(number)}))
    assert "done before" in second.give("rebirth", recorded)["text"]
    assert second.done == []
    later = Bench(options, memory, BOOT + 1)  # an outbox may go on as another boot while the node runs
    assert not later.give("rebirth", recorded)["ok"]
    assert later.give("rebirth", sign_command("back-office", KEY, NAMES, "rebirth", BOOT + 1, {"id": "s1"}))["ok"]
    assert len(later.done) == 1


def test_a_signed_command_that_couldnt_be_done_isnt_called_done_when_repeated(tmp_path: Path) -> None:
    def busy(_arguments: Mapping[str, Any]) -> dict[str, Any]:
        raise CommandRefused("too much is being sent already", 5.0)

    path = secret(tmp_path / "keys", f"back-office:{KEY.hex()}\n")
    options = CommandOptions(resend="key", key_file=path)
    commands = Commands(options, NAMES, BOOT, {"resend": busy}, ThrottledLog(), CommandMemory())
    payload = json.dumps(sign_command("back-office", KEY, NAMES, "resend", BOOT, {"id": "s1", "from_seq": 1})).encode()
    answers = [json.loads(commands.take("resend", payload, 1.0) or b"") for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["ok"], answers[0]["retry_s"]) == (False, 5.0)


def test_refusals_dont_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(CommandOptions())
    with caplog.at_level(logging.INFO, "shelfedge.uplink"):
        for number in range(200):
            bench.commands.take(f"x{chr(97 + number % 26)}", b"{", number * 0.5)
    assert len(caplog.records) < 30


def test_a_command_that_is_off_is_refused(keyed: Bench) -> None:
    """P11."""
    answer = keyed.give("report", {"id": "a"})
    assert answer == {"id": "a", "ok": False, "text": "the command report is switched off on this node"}


def test_a_signed_command_is_done(keyed: Bench) -> None:
    """P11."""
    payload = sign_command("back-office", KEY, NAMES, "resend", BOOT, {"id": "s1", "from_seq": 3, "boot": 7})
    assert keyed.give("resend", payload)["ok"]
    assert keyed.done == [{"from_seq": 3, "boot": 7}]
    assert keyed.give("resend", payload)["text"] == "done 1"  # repeated: answered, not done
    assert len(keyed.done) == 1


def test_whatever_is_changed_in_a_signed_command_is_refused(keyed: Bench) -> None:
    """P11: a recorded command is worth nothing at another node, for another boot, with other arguments."""
    good = sign_command("back-office", KEY, NAMES, "resend", BOOT, {"id": "s1", "from_seq": 3})
    wrong: list[dict[str, Any]] = [
        {"id": "s1", "from_seq": 3},
        {**good, "from_seq": 4},
        {**good, "to_seq": 4},
        {**good, "id": "s2"},
        {**good, "signature": good["signature"][:-1]},
        {**good, "signature": "é\ud800"},
        {**good, "signature": None},
        {**good, "key_id": "nobody"},
        {**good, "key_id": "reader"},
        {**good, "signed_boot": BOOT + 1},
        {**good, "signed_boot": True},
        {**good, "signed_boot": str(BOOT)},
        sign_command("back-office", KEY, NAMES, "resend", BOOT - 1, {"id": "s1", "from_seq": 3}),
        sign_command("back-office", KEY, NAMES, "rebirth", BOOT, {"id": "s1", "from_seq": 3}),
        sign_command("back-office", KEY, Names("store-7", "bay-13"), "resend", BOOT, {"id": "s1", "from_seq": 3}),
        sign_command("back-office", KEY, Names("store-8", "bay-12"), "resend", BOOT, {"id": "s1", "from_seq": 3}),
        sign_command("back-office", bytes(16), NAMES, "resend", BOOT, {"id": "s1", "from_seq": 3}),
    ]
    for payload in wrong:
        assert keyed.give("resend", payload)["ok"] is False, payload
    assert keyed.done == []
    assert keyed.give("resend", good)["ok"]  # none of them took its id away


def test_a_recorded_command_isnt_done_again_after_thousands_of_others(keyed: Bench) -> None:
    """P11: ids of signed commands aren't forgotten while the boot lasts, though their answers are."""
    recorded = sign_command("back-office", KEY, NAMES, "rebirth", BOOT, {"id": "first"})
    keyed.give("rebirth", recorded)
    for number in range(2000):
        keyed.give("rebirth", sign_command("back-office", KEY, NAMES, "rebirth", BOOT, {"id": str(number)}))
    count = len(keyed.done)
    assert keyed.give("rebirth", recorded)["ok"]
    assert len(keyed.done) == count


def test_a_key_is_good_for_its_commands_only(keyed: Bench) -> None:
    """P11."""
    key = bytes.fromhex("ab" * 20)
    assert keyed.give("resend", sign_command("reader", key, NAMES, "resend", BOOT, {"id": "1", "from_seq": 1}))["ok"]
    answer = keyed.give("rebirth", sign_command("reader", key, NAMES, "rebirth", BOOT, {"id": "2"}))
    assert "isn't allowed" in answer["text"]


def test_a_key_taken_out_of_the_file_counts_no_more(tmp_path: Path) -> None:
    """P11."""
    path = secret(tmp_path / "keys", f"a:{KEY.hex()}\nb:{'cd' * 16}\n")
    bench = Bench(CommandOptions(resend="key", rebirth="key", report="key", key_file=path))
    assert bench.give("rebirth", sign_command("a", KEY, NAMES, "rebirth", BOOT, {"id": "1"}))["ok"]
    secret(tmp_path / "keys", f"b:{'cd' * 16}\n")
    assert not bench.give("rebirth", sign_command("a", KEY, NAMES, "rebirth", BOOT, {"id": "2"}))["ok"]
    (tmp_path / "keys").unlink()
    answer = bench.give("rebirth", sign_command("a", KEY, NAMES, "rebirth", BOOT, {"id": "3"}))
    assert "key file can't be used" in answer["text"]
    assert str(tmp_path) not in answer["text"]  # strangers needn't know our folders


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key in it"),
        ("abc", ":1: expected key_id:hexkey"),
        ("a:zz", ":1: expected key_id:hexkey"),
        ("a:abc", ":1: expected key_id:hexkey"),
        ("a:" + "00" * 15, "at least 16 bytes"),
        (f"a:{KEY.hex()}\na:{KEY.hex()}", ":2: the key id is there twice"),
        (f"a:{KEY.hex()} resend fly", "no command is called fly"),
    ],
)
def test_a_bad_key_file_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = secret(tmp_path / "keys", text)
    with pytest.raises(CredentialError) as caught:
        load_command_keys(Path(path))
    assert says in str(caught.value)
    assert str(caught.value).startswith(path)
    assert KEY.hex() not in str(caught.value)


def test_the_signature_is_as_documented() -> None:
    """A vector for those who write back ends in other languages."""
    signed = sign_command("k", KEY, Names(None, "bay-12"), "resend", 41, {"id": "é1", "to_seq": 9, "from_seq": 5})
    assert signed == {
        "id": "é1", "to_seq": 9, "from_seq": 5, "key_id": "k", "signed_boot": 41, "signature": SIGNATURE,
    }  # fmt: skip


# printf '%s' '["shelfedge-command-1","-","bay-12","resend",41,"\u00e91",{"from_seq":5,"to_seq":9}]' \
#   | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102030405060708090a0b0c0d0e0f
SIGNATURE = "6f9b5a3f75fbe245919b41230792181c9df0439ef741f6bb874a1d98259fdc01"


def a_resends(outbox: MemoryOutbox) -> Resends:
    sender = Sender(outbox, WireForm(BOOT, False, 10.0), False, Pace(), ThrottledLog())
    return Resends(outbox, sender, BOOT)


def sent(resends: Resends) -> list[int]:
    found: list[int] = []
    while message := resends.next(1 << 20):
        found += range(message.first, message.last + 1) if message.count == message.last - message.first + 1 else []
    return found


def test_resend_sends_what_is_kept_and_says_what_is_gone() -> None:
    """P2, P4."""
    outbox = MemoryOutbox()
    outbox.add(1000)
    outbox.forget(BOOT, 1, 99)
    resends = a_resends(outbox)
    answer = resends.ask({"from_seq": 50, "to_seq": 500})
    assert answer["gone"] == [[50, 99]]
    assert (answer["first_seq"], answer["last_seq"], answer["count"], answer["last"]) == (100, 500, 401, 1000)
    assert sent(resends) == list(range(100, 501))
    assert resends.next(1000) is None


def test_resend_of_what_comes_later_isnt_gone_but_of_an_earlier_boot_it_is() -> None:
    outbox = MemoryOutbox()
    outbox.add(10, boot=BOOT - 1)
    outbox.add(10)
    resends = a_resends(outbox)
    now = resends.ask({"from_seq": 8, "to_seq": 20})
    assert (now["gone"], now["count"], now["last"]) == ([], 3, 10)
    before = resends.ask({"from_seq": 8, "to_seq": 20, "boot": BOOT - 1})
    assert (before["gone"], before["count"], before["last"]) == ([[11, 20]], 3, 10)
    unknown = resends.ask({"from_seq": 8, "to_seq": 20, "boot": 7})
    assert (unknown["gone"], unknown["count"], unknown["last"]) == ([[8, 20]], 0, 7)
    open_end = resends.ask({"from_seq": 8, "boot": 7})
    assert (open_end["gone"], open_end["count"], open_end["last"], open_end["present_boot"]) == ([], 0, 7, BOOT)


def test_a_resend_tells_which_boots_there_are() -> None:
    """Also those from before a loss of memory, which nobody finds by counting; few ranges, however many boots."""
    outbox = MemoryOutbox()
    for boot in (4_000_000_000, 4_000_000_001, *range(BOOT - 30, BOOT - 2)):
        outbox.add(1, boot=boot)
    answer = a_resends(outbox).ask({"from_seq": (1 << 63) - 1})
    assert answer["boots"] == [[4_000_000_000, 4_000_000_001], [BOOT - 30, BOOT - 3], [BOOT, BOOT]]
    assert (answer["count"], answer["gone"], answer["last"]) == (0, [], (1 << 63) - 2), "and it sends nothing"
    for boot in range(0, 1000, 2):
        outbox.add(1, boot=10_000 + boot)
    assert len(a_resends(outbox).ask({"from_seq": 1})["boots"]) == 100


def test_a_resend_of_everything_comes_in_portions() -> None:
    """P4: one command doesn't make the node send for hours."""
    outbox = MemoryOutbox()
    outbox.add(MOST_AT_ONCE + 500)
    resends = a_resends(outbox)
    answer = resends.ask({"from_seq": 1})
    assert (answer["count"], answer["more"], answer["last_seq"]) == (MOST_AT_ONCE, True, MOST_AT_ONCE)
    rest = resends.ask({"from_seq": answer["last_seq"] + 1})
    assert (rest["count"], rest["more"]) == (500, False)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"from_seq": 0}, {"from_seq": -1}, {"from_seq": True}, {"from_seq": 1.5}, {"from_seq": "1"},
     {"from_seq": 5, "to_seq": 4}, {"from_seq": 1, "boot": 1 << 32}, {"from_seq": 1 << 64}],
)  # fmt: skip
def test_impossible_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        a_resends(MemoryOutbox()).ask(arguments)


class _BusyOutbox(MemoryOutbox):
    """Something is committed right after its rows have been read to their end."""

    def rows(self, boot: int, from_seq: int, most: int) -> list[Row]:
        found = super().rows(boot, from_seq, most)
        if not found:
            self.add(1)
        return found


def test_what_is_committed_while_a_resend_is_answered_isnt_called_gone() -> None:
    """P2: a back end may give up what the node calls gone."""
    outbox = _BusyOutbox()
    outbox.add(5)
    assert a_resends(outbox).ask({"from_seq": 1})["gone"] == []
