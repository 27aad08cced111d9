"""What every camera driver does, whatever it sees: one class, run on each kind."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from camera_benches import CAMERA_BENCHES, HEIGHT, RATE_HZ, WIDTH, camera_threads

from drivers.camera.contract import MOST_AT_ONCE, CameraDriver
from drivers.errors import DriverError


@pytest.fixture(params=CAMERA_BENCHES)
def bench(request, tmp_path_factory):
    made = CAMERA_BENCHES[request.param](tmp_path_factory.getbasetemp())
    yield made
    made.driver.stop()


class TestEveryCamera:
    def test_reading_before_start_is_an_error_that_says_so(self, bench):
        with pytest.raises(DriverError, match=r"^c: start the \w+ camera before"):
            bench.driver.read(bench.now_ns())

    def test_a_second_start_is_an_error(self, bench):
        bench.driver.start()
        with pytest.raises(DriverError, match="once"):
            bench.driver.start()

    def test_it_delivers_frames_with_the_contract_s_planes(self, bench):
        driver: CameraDriver = bench.driver
        driver.start()
        frames = bench.run(2.0)
        assert len(frames) >= 0.9 * 2.0 * RATE_HZ
        for frame in frames:
            assert frame.camera == "c"
            assert frame.y.shape == (HEIGHT, WIDTH)
            assert frame.u.shape == frame.v.shape == (HEIGHT // 2, WIDTH // 2)
            for plane in (frame.y, frame.u, frame.v):
                assert plane.dtype == np.uint8
                assert plane.flags.c_contiguous
                assert plane.flags.writeable

    def test_times_are_in_order_a_period_apart_and_numbers_tell_of_no_loss(self, bench):
        bench.driver.start()
        frames = bench.run(4.0)
        steps = np.diff([frame.time_ns for frame in frames])
        assert (steps > 0).all()
        assert abs(np.median(steps) * RATE_HZ / 1e9 - 1.0) < 0.02
        assert set(np.diff([frame.sequence for frame in frames])) == {1}

    def test_a_read_gives_only_what_was_exposed_before_its_time(self, bench):
        bench.driver.start()
        bench.pass_by(1.5)
        cut_ns = bench.now_ns() - 800_000_000
        early, late = bench.driver.read(cut_ns), bench.driver.read(bench.now_ns())
        assert early
        assert late
        assert early[-1].time_ns < cut_ns <= late[0].time_ns

    def test_nothing_is_delivered_twice_or_left_out_however_reading_is_split(self, bench, tmp_path_factory, request):
        other = CAMERA_BENCHES[request.node.callspec.params["bench"]](tmp_path_factory.getbasetemp())
        bench.driver.start()
        other.driver.start()
        split = []
        for step_ms in (3, 400, 1, 40, 356, 700, 300):
            bench.pass_by(step_ms / 1e3)
            split += bench.driver.read(bench.now_ns())
        other.pass_by(1.8)
        whole = other.driver.read(other.now_ns())
        other.driver.stop()
        assert len(whole) > 20
        assert [frame.time_ns for frame in split] == [frame.time_ns for frame in whole]
        assert all(np.array_equal(a.y, b.y) for a, b in zip(split, whole, strict=True))

    def test_a_reader_that_was_held_up_gets_frames_by_the_dozen_and_is_told_what_was_lost(self, bench):
        """P3: if a sample is lost it is counted and explained."""
        bench.driver.start()
        before = bench.run(1.0)
        bench.pass_by(6.0)
        after: list = []
        for _ in range(5):
            frames = bench.driver.read(bench.now_ns())
            assert len(frames) <= MOST_AT_ONCE
            after += frames
        bench.driver.stop()
        everything = before + after
        lost = sum(notice.samples_lost for notice in bench.driver.take_notices())
        assert everything[-1].sequence - everything[0].sequence + 1 == len(everything) + lost
        assert everything[-1].time_ns > bench.now_ns() - 200_000_000
        assert all(a.time_ns < b.time_ns for a, b in itertools.pairwise(everything))

    def test_a_still_is_a_jpeg(self, bench):
        with pytest.raises(DriverError, match=r"^c: "):
            bench.driver.still()
        bench.driver.start()
        bench.run(1.0)
        still = bench.driver.still()
        assert still.startswith(b"\xff\xd8")
        assert still.endswith(b"\xff\xd9")
        bench.driver.stop()
        with pytest.raises(DriverError, match=r"^c: "):
            bench.driver.still()

    def test_it_is_silent_after_stop_and_stopping_twice_does_no_harm(self, bench):
        bench.driver.start()
        bench.run(0.5)
        bench.driver.stop()
        bench.driver.stop()
        bench.pass_by(2.0)
        assert bench.driver.read(bench.now_ns()) == []
        assert camera_threads() == []

    def test_one_that_was_never_started_can_be_stopped(self, bench):
        bench.driver.stop()
        assert bench.driver.read(bench.now_ns()) == []
        assert camera_threads() == []

    def test_a_healthy_camera_gives_no_notices_and_no_flags(self, bench):
        bench.driver.start()
        frames = bench.run(8.0)
        assert [notice.text for notice in bench.driver.take_notices()] == []
        assert not any(frame.flags for frame in frames)
