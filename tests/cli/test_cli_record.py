"""`shelfedge record`: what a technician types, with a node that runs, was stopped, or died."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from drivers.samples import SampleBlock
from drivers.simulated.shopper import RandomShopper
from edge.config.demo import demo_node_path
from edge.config.live_schema import RecordingOptions
from edge.config.setup import load_setup
from edge.node.record_times import span_s, wall_ns
from edge.node.ring import RingRecorder
from edge.node.simulate import physics_for, simulated_blocks
from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.outbox.records import Body, OutboxLimits
from edge.stream.outbox.store import OutboxStore
from edge.stream.wire import encode
from edge.trace.errors import TraceError
from edge.trace.event import Event, Kind, Status
from edge.trace.reader import TraceReader

S = 1_000_000_000
BEGIN_NS = 7_000 * S
WALL = datetime(2026, 11, 20, 18, 0, 0).astimezone()
OFFSET_NS = round(WALL.timestamp() * 1e9) - BEGIN_NS


def later(block: SampleBlock, ns: int) -> SampleBlock:
    return SampleBlock(block.board, block.time_ns + ns, block.cell, block.counts, block.flags)


def opened_shop(folder: Path) -> Path:
    """A node file of its own, with its state beside it."""
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().with_name(name), folder / name)
    node = folder / "node.yaml"
    node.write_text(node.read_text() + "\nstate: state\n")
    return node


def life(node: Path, boot: int, begin_ns: int) -> None:
    """The node runs for a minute from then on."""
    setup = load_setup(node)
    calibrated, _, made = simulated_blocks(setup, physics_for(setup, 3), RandomShopper(3, until_s=56), 3, 60.0)
    ring = RingRecorder(
        node.parent / "state" / "bay-12" / "ring",
        calibrated,
        RecordingOptions(),
        boot,
        lambda mono_ns: Stamp(mono_ns + OFFSET_NS, TimeQuality.SYNCED),
        mono_ns=lambda: BEGIN_NS,
        segment_s=20,
        queue_s=600,
    )
    for together in made:
        ring.give([later(block, begin_ns) for block in together])
    assert ring.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node file whose node ran twice: at 18:00 for 60 s, and at 19:00 for 60 s."""
    node = opened_shop(tmp_path_factory.mktemp("shop"))
    life(node, 11, BEGIN_NS)
    life(node, 12, BEGIN_NS + 3600 * S)
    return node


def span(path: Path) -> tuple[float, float]:
    """First and last sample in seconds after 18:00."""
    with TraceReader(path) as reader:
        assert reader.begin_ns is not None
        assert reader.end_ns is not None
        assert sum(len(b) for blocks in reader.epochs() for b in blocks) == reader.sample_count
        return (reader.begin_ns - BEGIN_NS) / S, (reader.end_ns - BEGIN_NS) / S


def test_without_a_choice_the_last_ten_minutes_of_the_latest_run(shelfedge, shop: Path, tmp_path: Path) -> None:
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap")
    assert done.returncode == 0, done.stderr
    assert span(tmp_path / "out.mcap") == pytest.approx((3600, 3660), abs=0.1)
    assert "2026-11-20 19:00:00" in done.stderr
    assert "boot 12" in done.stderr
    assert "gives the live events" in done.stderr
    info = shelfedge("trace", "info", tmp_path / "out.mcap")
    assert info.returncode == 0


def test_a_part_says_that_replay_begins_without_memory(shelfedge, shop: Path, tmp_path: Path) -> None:
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap", "--last", "30s")
    assert done.returncode == 0, done.stderr
    assert span(tmp_path / "out.mcap") == pytest.approx((3630, 3660), abs=0.1)
    assert "without the node's memory" in done.stderr


def test_last_over_a_restart_says_what_is_left_out_and_all_writes_it(shelfedge, shop: Path, tmp_path: Path) -> None:
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap", "--last", "3630 s")
    assert done.returncode == 0, done.stderr
    assert "--all" in done.stderr
    assert "boot 11" in done.stderr
    assert span(tmp_path / "out.mcap") == pytest.approx((3600, 3660), abs=0.1)
    done = shelfedge("record", shop, "-o", tmp_path / "both.mcap", "--last", "3630 s", "--all")
    assert done.returncode == 0, done.stderr
    assert span(tmp_path / "both-1.mcap") == pytest.approx((30, 60), abs=0.1)
    assert span(tmp_path / "both-2.mcap") == pytest.approx((3600, 3660), abs=0.1)


def test_between_two_times(shelfedge, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"
    done = shelfedge("record", shop, "-o", out, "--from", "2026-11-20T18:00:10", "--to", "2026-11-20T18:00:25")
    assert done.returncode == 0, done.stderr
    assert span(out) == pytest.approx((10, 25), abs=0.1)
    done = shelfedge("record", shop, "-o", out, "--from", "2026-11-20T18:30", "--to", "2026-11-20T18:40")
    assert done.returncode == 1
    assert "2 runs between 2026-11-20 18:00:00 and 2026-11-20 19:00:59" in done.stderr


def test_a_run_of_an_earlier_boot(shelfedge, shop: Path, tmp_path: Path) -> None:
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap", "--run", "--boot", 11)
    assert done.returncode == 0, done.stderr
    assert span(tmp_path / "out.mcap") == pytest.approx((0, 60), abs=0.1)
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap", "--run", "--boot", 10)
    assert done.returncode == 1
    assert "boot 10" in done.stderr


def pick(event_id: str, time_ns: int) -> Event:
    return Event(
        event_id, 1, Status.FINAL, Kind.PICK, "shelf-1", "A1", "cola-033", 1, -352.0, 50.0, 20.0,
        time_ns, time_ns + S, 0.999, False,
    )  # fmt: skip


def test_around_an_event(shelfedge, tmp_path: Path) -> None:
    """By its id (the latest boot's) and by boot/seq, looked up in the outbox; at least 30 s before it."""
    node = opened_shop(tmp_path)
    outbox = tmp_path / "state" / "bay-12" / "outbox.db"
    outbox.parent.mkdir(parents=True)
    boots = []
    for begin_s in (0, 3600):
        store = OutboxStore.open(outbox, OutboxLimits(), now_ns=BEGIN_NS + OFFSET_NS)
        stamped = Stamp(BEGIN_NS + OFFSET_NS, TimeQuality.SYNCED)
        for number in range(1, 6):
            event = pick(f"shelf-1-{number:06d}", BEGIN_NS + (begin_s + 10 * number) * S)
            store.append(
                [Body(lambda boot, seq, e=event, at=stamped: encode(EventEntry(boot, seq, e, at)), stamped.wall_ns)]
            )
        boots.append(store.boot)
        last = store.last_seq(store.boot)
        store.close()
        life(node, store.boot, BEGIN_NS + begin_s * S)
    out = tmp_path / "out.mcap"
    for wanted, more, begin_s, end_s in (
        ("shelf-1-000004", [], 3610, 3645),
        ("shelf-1-000004", ["--boot", boots[0]], 10, 45),
        (f"{boots[0]}/{last}", [], 20, 55),
    ):
        done = shelfedge("record", node, "-o", out, "--event", wanted, "--around", "5s", *more)
        assert done.returncode == 0, done.stderr
        assert span(out) == pytest.approx((begin_s, end_s), abs=0.1)
    for wanted in ("shelf-1-000099", f"{boots[0]}/9999", "../x"):
        done = shelfedge("record", node, "-o", out, "--event", wanted)
        assert done.returncode == 1
        assert wanted in done.stderr
    shutil.rmtree(tmp_path / "state" / "bay-12" / "ring")
    (tmp_path / "state" / "bay-12" / "ring").mkdir()
    done = shelfedge("record", node, "-o", out, "--event", "shelf-1-000004")
    assert done.returncode == 1
    assert "the ring is empty" in done.stderr


def test_list(shelfedge, shop: Path) -> None:
    done = shelfedge("record", shop, "--list")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[1:]
    assert first.split()[:4] == ["11", "1", "2026-11-20", "18:00:00"]
    assert second.split()[:4] == ["12", "1", "2026-11-20", "19:00:00"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--last", "10"], "without a unit"),
        (["--from", "25:99"], "18:05"),
        (["--from", "yesterday"], "18:05"),
        (["--last", "1h", "--run"], "one of"),
        (["--from", "2026-11-20T18:00:30", "--to", "2026-11-20T18:00:10"], "before"),
        (["--list"], "--list"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    shelfedge, shop: Path, tmp_path: Path, arguments: list[str], text: str
) -> None:
    done = shelfedge("record", shop, "-o", tmp_path / "out.mcap", *arguments)
    assert done.returncode in (1, 2)
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.mcap").exists()


def test_a_segment_or_the_node_file_is_never_overwritten(shelfedge, shop: Path) -> None:
    segments = sorted((shop.parent / "state" / "bay-12" / "ring").iterdir())
    for target in (segments[-1], segments[0], shop, shop.with_name("planogram.yaml")):
        before = target.read_bytes()
        done = shelfedge("record", shop, "-o", target, "--run")
        assert done.returncode == 1
        assert target.read_bytes() == before


def test_a_node_that_never_ran_is_said(shelfedge, tmp_path: Path) -> None:
    opened_shop(tmp_path)
    for arguments in (["--list"], ["-o", str(tmp_path / "out.mcap")]):
        done = shelfedge("record", tmp_path / "node.yaml", *arguments)
        assert done.returncode == 1
        assert "nothing was recorded here" in done.stderr


def test_damage_in_a_segment_is_told_and_the_rest_is_written(shelfedge, shop: Path, tmp_path: Path) -> None:
    shutil.copytree(shop.parent, tmp_path / "shop")
    segment = sorted((tmp_path / "shop" / "state" / "bay-12" / "ring").iterdir())[-2]
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    done = shelfedge("record", tmp_path / "shop" / "node.yaml", "-o", tmp_path / "out.mcap", "--run")
    assert done.returncode == 3
    assert segment.name in done.stderr
    assert span(tmp_path / "out.mcap") == pytest.approx((3600, 3660), abs=0.1)


NOW = datetime(2026, 11, 21, 18, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:05", NOW.replace(minute=5)),
        ("18:30:01", NOW.replace(day=20, second=1)),
        ("2026-11-21T18:05", NOW.replace(minute=5)),
        ("2026-11-21 18:05:30", NOW.replace(minute=5, second=30)),
        ("2026-11-21T16:05:00Z", NOW.replace(minute=5)),
        ("2026-11-20", NOW.replace(day=20, hour=0, minute=0)),
    ],
)
def test_times_as_people_type_them(text: str, expected: datetime) -> None:
    assert wall_ns(text, "--from", NOW) == round(expected.timestamp()) * S


@pytest.mark.parametrize("text", ["24:00", "18:5", "9999999999", "", "now", "18.05"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(TraceError, match="--from"):
        wall_ns(text, "--from", NOW)


@pytest.mark.parametrize(("text", "seconds"), [("10min", 600), ("2h", 7200), ("90 s", 90), ("3 d", 259200)])
def test_spans(text: str, seconds: float) -> None:
    assert span_s(text, "--last") == seconds


@pytest.mark.parametrize("choice", [["--event", "shelf-1-000001"], ["--last", "1h"], ["--run"], ["--boot", "11"]])
def test_list_is_of_all_and_refuses_a_choice(shelfedge, shop: Path, choice: list[str]) -> None:
    done = shelfedge("record", shop, "--list", *choice)
    assert done.returncode == 2
    assert "give it alone" in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
