"""Sightings and frames in traces: what was written is read, samples are as ever, damage costs what it hit (P5, P8)."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_sights import frame, recorded, sights
from small_trace import noise, read_all, same

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.trace.chunk import Chunk, messages
from edge.trace.copy_trace import cut, recover
from edge.trace.epoch import Epoch
from edge.trace.errors import TraceError
from edge.trace.export_mcap import export_mcap
from edge.trace.frame_codec import RecordedFrame, decode_frame, encode_frame, schema_bytes
from edge.trace.info import info_text, summarize
from edge.trace.jpeg import JpegDecoder, JpegEncoder
from edge.trace.reader import TraceReader
from edge.trace.records import RecordWalk
from edge.trace.sighting import Sighting, TrackPoint
from edge.trace.writer import TraceWriter

NS = 10**9


def _frames(begin_s: float, end_s: float, rate_hz: float = 4.0) -> list[RecordedFrame]:
    return [recorded("aisle", round((begin_s + k / rate_hz) * NS), k) for k in range(int((end_s - begin_s) * rate_hz))]


def _write(
    path: Path, setup: Setup, begin_s: float = -5.0, end_s: float = 30.0
) -> tuple[list[Sighting], list[RecordedFrame]]:
    """A trace of both boards with sightings and frames, the sightings 0.4 s late."""
    boards = [noise("top", 2, 40, begin_s, end_s, 1), noise("low.er", 1, 10, begin_s, end_s, 2)]
    seen, frames = sights(begin_s, end_s), _frames(begin_s, end_s)
    with TraceWriter(path, setup) as writer:
        for step in range(int(begin_s * 5), int(end_s * 5) + 3):
            now_ns = step * NS // 5
            for board in boards:
                first, last = board.time_ns.searchsorted([now_ns - NS // 5, now_ns])
                writer.write(board.part(int(first), int(last)))
            writer.see([s for s in seen if now_ns - NS // 5 <= s.time_ns + 4 * NS // 10 < now_ns])
            for picture in frames:
                if now_ns - NS // 5 <= picture.time_ns < now_ns:
                    writer.picture(picture)
        assert (writer.sighting_count, writer.frame_count) == (len(seen), len(frames))
    return seen, frames


def _epochs(path: Path, **options: bool) -> list[Epoch]:
    with TraceReader(path, known_only=False) as reader:
        epochs = list(reader.whole_epochs(**options))
        assert reader.losses == []
    return epochs


def test_sightings_and_frames_come_back_in_the_epochs_of_their_times(tmp_path: Path, setup: Setup) -> None:
    """All of them, equal in every field, also before the trace's zero."""
    seen, frames = _write(tmp_path / "a.mcap", setup)
    epochs = _epochs(tmp_path / "a.mcap")
    assert sorted(s.time_ns for e in epochs for s in e.sightings) == [
        s.time_ns for s in sorted(seen, key=lambda s: s.time_ns)
    ]
    assert [s for e in epochs for s in e.sightings] == seen
    assert [f for e in epochs for f in e.frames] == frames
    for epoch in epochs:
        for each in (*epoch.sightings, *epoch.frames):
            assert epoch.begin_ns <= each.time_ns < epoch.begin_ns + NS


def test_who_only_wants_samples_gets_them_as_ever(tmp_path: Path, setup: Setup) -> None:
    """An epoch without samples isn't there, and nothing counts as lost."""
    _write(tmp_path / "a.mcap", setup)
    with TraceReader(tmp_path / "a.mcap") as reader:
        found = read_all(reader)
        assert reader.losses == []
    assert same(found["top"], noise("top", 2, 40, -5.0, 30.0, 1))
    assert _epochs(tmp_path / "a.mcap", sightings=False, frames=False)[0].sightings == []


def test_a_trace_of_cameras_alone_is_a_trace(tmp_path: Path, setup: Setup) -> None:
    """A ceiling node has no boards: its times are those of what was seen."""
    seen, frames = sights(3, 8), _frames(3, 8)
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.see(seen)
        for picture in frames:
            writer.picture(picture)
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert list(reader.epochs()) == []
        assert [s for e in reader.whole_epochs() for s in e.sightings] == seen
        assert (reader.begin_ns, reader.sample_count) == (3 * NS, 0)
        assert cut(reader, tmp_path / "b.mcap", 1.0, 2.0) == 0
    assert {s.time_ns // NS for e in _epochs(tmp_path / "b.mcap") for s in e.sightings} == {4}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_however_it_is_interleaved_and_flushed_the_same_is_read(
    tmp_path_factory: pytest.TempPathFactory, setup: Setup, rng: random.Random
) -> None:
    """P8: per epoch the same samples, sightings and frames, whatever portions they came in and when chunks ended."""
    path = tmp_path_factory.mktemp("cut") / "a.mcap"
    boards = [noise("top", 2, 20, 0, 9, 1), noise("low.er", 1, 5, 0, 9, 2)]
    seen, frames = sights(0, 9, rate_hz=2), _frames(0, 9, 2)
    ends_ns = sorted(rng.randrange(9 * NS) for _ in range(rng.randrange(30)))
    with TraceWriter(path, setup) as writer:
        for begin_ns, end_ns in itertools.pairwise([-1, *ends_ns, 10 * NS]):
            actions: list[Callable[[], None]] = [
                partial(writer.see, [s for s in seen if begin_ns < s.time_ns <= end_ns]),
                *(partial(writer.write, _between(block, begin_ns, end_ns)) for block in boards),
                *(partial(writer.picture, f) for f in frames if begin_ns < f.time_ns <= end_ns),
            ]
            rng.shuffle(actions)
            for action in actions:
                action()
            if rng.random() < 0.3:
                writer.flush(pending=rng.random() < 0.5)
    epochs = _epochs(path)
    assert [s for e in epochs for s in e.sightings] == seen
    assert [f for e in epochs for f in e.frames] == frames
    assert sum(len(b) for e in epochs for b in e.blocks) == sum(map(len, boards))


def _between(block: SampleBlock, begin_ns: int, end_ns: int) -> SampleBlock:
    first, last = block.time_ns.searchsorted([begin_ns, end_ns], side="right")
    return block.part(int(first), int(last))


def test_times_that_cant_be_are_refused(tmp_path: Path, setup: Setup) -> None:
    """They would come too late for a reader."""
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(noise("top", 2, 10, 0, 5))
        with pytest.raises(TraceError, match="a sighting is 64 s behind"):
            writer.see(sights(-60, -59))
        with pytest.raises(TraceError, match="a frame of camera aisle is 204 s behind"):
            writer.picture(recorded("aisle", -200 * NS, 1))
        writer.write(noise("top", 2, 10, 5, 10))
    assert sum(len(e.sightings) + len(e.frames) for e in _epochs(tmp_path / "a.mcap")) == 0


def test_recover_and_cut_keep_them(tmp_path: Path, setup: Setup) -> None:
    """`trace recover` all, `trace cut` those inside."""
    seen, frames = _write(tmp_path / "a.mcap", setup)
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        recover(reader, tmp_path / "b.mcap")
        start_ns = reader.begin_ns or 0
        cut(reader, tmp_path / "c.mcap", 3.0, 7.25)
    assert [s for e in _epochs(tmp_path / "b.mcap") for s in e.sightings] == seen
    inside = [s for s in seen if start_ns + 3 * NS <= s.time_ns < start_ns + 7.25 * NS]
    assert [s for e in _epochs(tmp_path / "c.mcap") for s in e.sightings] == inside
    kept = [f for f in frames if start_ns + 3 * NS <= f.time_ns < start_ns + 7.25 * NS]
    assert [f for e in _epochs(tmp_path / "c.mcap") for f in e.frames] == kept


def test_damage_costs_the_chunk_it_hits(tmp_path: Path, setup: Setup) -> None:
    """P5: one flipped bit anywhere: what is read is what was written, and what isn't read is told as lost."""
    seen, frames = _write(tmp_path / "a.mcap", setup)
    raw = (tmp_path / "a.mcap").read_bytes()
    with (tmp_path / "a.mcap").open("rb") as file:
        chunks = [r for r in RecordWalk(file, len(raw)).records() if isinstance(r, Chunk)]
    assert len(chunks) >= 3
    rng = random.Random(4)
    for place in [chunks[0].offset + 200, chunks[1].offset + 500, *(rng.randrange(len(raw)) for _ in range(5))]:
        broken = bytearray(raw)
        broken[place] ^= 0x10
        (tmp_path / "b.mcap").write_bytes(broken)
        with TraceReader(tmp_path / "b.mcap", setup) as reader:
            epochs = list(reader.whole_epochs())
            found, pictures = [s for e in epochs for s in e.sightings], [f for e in epochs for f in e.frames]
            assert [s for s in seen if s in found] == found
            assert [f for f in frames if f in pictures] == pictures
            assert reader.losses or (len(found), len(pictures)) == (len(seen), len(frames))
    with TraceReader(tmp_path / "b.mcap", setup) as reader:
        assert sum(len(e.frames) for e in reader.whole_epochs()) >= len(frames) // 2


def test_after_the_first_chunk_is_lost_the_rest_is_still_told_apart(tmp_path: Path, setup: Setup) -> None:
    """P5: the channels' own records are in the first chunk; a message says itself what it is."""
    _write(tmp_path / "a.mcap", setup)
    raw = bytearray((tmp_path / "a.mcap").read_bytes())
    with (tmp_path / "a.mcap").open("rb") as file:
        first, second = [r for r in RecordWalk(file, len(raw)).records() if isinstance(r, Chunk)][:2]
    assert any(is_channel for _, _, is_channel in messages(first))
    assert not any(is_channel for _, _, is_channel in messages(second))
    raw[first.offset + 300] ^= 1
    (tmp_path / "a.mcap").write_bytes(raw)
    with TraceReader(tmp_path / "a.mcap") as reader:
        epochs = list(reader.whole_epochs())
        assert len(reader.losses) == 1
    assert (
        min(sum(map(len, parts)) for parts in zip(*((e.blocks, e.sightings, e.frames) for e in epochs), strict=True))
        > 20
    )


def test_info_tells_cameras_frames_tracks_and_looks(tmp_path: Path, setup: Setup) -> None:
    """For a person."""
    _write(tmp_path / "a.mcap", setup)
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        text = info_text(reader, summarize(reader))
    assert "tracks    2 of camera aisle, 350 places" in text
    assert "looks     175 of camera b1-eye at board top" in text
    assert "frames    140 of camera aisle, 64 x 48, 4.0 Hz, 3.0 kB each; 20 dark" in text


def test_a_frame_is_a_compressed_image_to_others(tmp_path: Path, setup: Setup) -> None:
    """Foxglove's schema, read by Google's protobuf and by MCAP's own reader."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from mcap.reader import make_reader

    picture = JpegEncoder().encoded(frame("aisle", -(5 * NS) // 2, 3))
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.picture(picture)
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(schema_bytes())
    pool = descriptor_pool.DescriptorPool()
    for each in files.file:
        pool.Add(each)
    image = message_factory.GetMessageClass(pool.FindMessageTypeByName("foxglove.CompressedImage"))()
    with (tmp_path / "a.mcap").open("rb") as file:
        ((schema, channel, message),) = make_reader(file).iter_messages()
    assert schema is not None
    assert (schema.name, schema.encoding, channel.topic) == ("foxglove.CompressedImage", "protobuf", "/frames/aisle")
    image.ParseFromString(message.data)
    assert (image.format, image.frame_id, image.data) == ("jpeg", "aisle", picture.jpeg)
    assert (image.timestamp.seconds, image.timestamp.nanos) == (-3, NS // 2)
    assert decode_frame(image.SerializeToString()) == picture


@pytest.mark.parametrize(
    ("width", "height", "grey"), [(64, 48, False), (63, 47, False), (64, 48, True), (320, 240, False)]
)
def test_a_picture_comes_back_as_it_looked(width: int, height: int, grey: bool) -> None:
    """All its facts, and its pixels within the codec's few levels; a decoder gives the same bits each time (P8)."""
    pytest.importorskip("av")
    encoder, decoder = JpegEncoder(), JpegDecoder()
    for seed in (1, 2, 3):
        given = frame("aisle", seed * NS, seed, width, height, grey)
        again = decode_frame(encode_frame(encoder.encoded(given)))
        found, twin = decoder.decoded(again), JpegDecoder().decoded(again)
        assert (found.camera, found.time_ns, found.sequence, found.flags) == ("aisle", seed * NS, seed, given.flags)
        assert abs(found.y.astype(int) - given.y).mean() < 3
        assert (found.y == twin.y).all()
        assert (found.u is None) == grey == (found.v is None)
        if found.u is not None and given.u is not None and twin.u is not None:
            assert found.u.shape == given.u.shape
            assert abs(found.u.astype(int) - given.u).mean() < 3
            assert (found.u == twin.u).all()
    with pytest.raises(TraceError, match="aisle: a recorded frame"):
        decoder.decoded(recorded("aisle", 0, 1))


def test_export_gives_pictures_and_tracks_to_other_programs(tmp_path: Path, setup: Setup) -> None:
    """Topics that Foxglove shows as they are, at the times of the trace's clock."""
    from mcap.reader import make_reader

    seen, frames = sights(0, 4), _frames(0, 4)
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(noise("top", 2, 10, 0, 4))
        writer.see(seen)
        for picture in frames:
            writer.picture(picture)
    with TraceReader(tmp_path / "a.mcap") as reader:
        export_mcap(reader, tmp_path / "b.mcap", grams=False)
    with (tmp_path / "b.mcap").open("rb") as file:
        found = [(channel.topic, message) for _, channel, message in make_reader(file).iter_messages()]
    images = [decode_frame(message.data) for topic, message in found if topic == "/frames/aisle"]
    assert images == frames
    walked = [json.loads(message.data) for topic, message in found if topic == "/tracks/aisle.7.1"]
    expected = [s for s in seen if isinstance(s, TrackPoint) and s.track == "aisle.7.1"]
    assert [(w["time_s"], w["x_mm"]) for w in walked] == [(s.time_ns / NS, s.x_mm) for s in expected]
