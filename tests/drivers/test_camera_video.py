"""The `video` camera: planes as in the file, its times, what is damaged, and what can't be played."""

from __future__ import annotations

import importlib
import wave

import av
import numpy as np
import pytest
from camera_benches import BEGIN_NS, noisy_pictures, write_video

from drivers.camera.video import VideoCamera
from drivers.errors import DriverError
from drivers.frames import planes_of_yuv420

END_NS = 10**15


def read_all(camera, until_ns=END_NS):
    frames = []
    while more := camera.read(until_ns):
        frames += more
    return frames


def opened(path, **options):
    camera = VideoCamera("c", {"file": str(path), **options}, lambda: BEGIN_NS)
    camera.start()
    return camera


@pytest.fixture(scope="module")
def lossless(tmp_path_factory):
    """30 frames whose rows a decoder pads: 70 x 46."""
    path, pictures = tmp_path_factory.mktemp("video") / "lossless.mkv", noisy_pictures(30, 70, 46)
    write_video(path, pictures, "ffv1", 10)
    return path, pictures


@pytest.fixture(scope="module")
def avi(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "long.avi"
    write_video(path, noisy_pictures(150), "mpeg4", 15)
    return path


def test_planes_are_the_file_s_own_bit_for_bit(lossless):
    path, pictures = lossless
    frames = read_all(opened(path))
    assert len(frames) == 30
    for frame, picture in zip(frames, pictures, strict=True):
        for plane, truth in zip((frame.y, frame.u, frame.v), planes_of_yuv420(picture, 46, 70), strict=True):
            assert np.array_equal(plane, truth)


def test_grey_files_and_files_told_to_be_grey_have_no_colour(lossless, tmp_path):
    path, pictures = lossless
    asked = read_all(opened(path, grey=True))
    assert asked[7].u is None
    assert asked[7].v is None
    assert np.array_equal(asked[7].y, pictures[7][:46])
    write_video(tmp_path / "grey.mkv", [picture[:46] for picture in pictures], "ffv1", 10, "gray")
    own = read_all(opened(tmp_path / "grey.mkv"))
    assert own[7].u is None
    assert np.array_equal(own[7].y, pictures[7][:46])


def test_another_yuv_format_keeps_its_luma_and_gets_half_the_colour(tmp_path):
    rng = np.random.default_rng(2)
    luma = rng.integers(30, 220, (48, 64), dtype=np.uint8)
    with av.open(str(tmp_path / "full.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        planes = np.stack([luma, np.full_like(luma, 90), np.full_like(luma, 170)])
        picture = av.VideoFrame.from_ndarray(planes, "yuv444p")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    (frame,) = read_all(opened(tmp_path / "full.mkv"))
    assert np.array_equal(frame.y, luma)
    assert frame.u.shape == (24, 32)
    assert np.abs(frame.u.astype(int) - 90).max() <= 1
    assert np.abs(frame.v.astype(int) - 170).max() <= 1


def test_a_size_of_ones_own_is_what_comes(lossless):
    frames = read_all(opened(lossless[0], size=[32, 24]))
    assert {frame.y.shape for frame in frames} == {(24, 32)}
    assert {frame.u.shape for frame in frames} == {(12, 16)}


def test_paced_the_first_frame_is_exposed_at_start_and_the_others_after_it_as_in_the_file(lossless):
    camera = opened(lossless[0])
    assert camera.read(BEGIN_NS) == []
    early = [frame.time_ns - BEGIN_NS for frame in camera.read(BEGIN_NS + 350_000_000)]
    assert early == [0, 100_000_000, 200_000_000, 300_000_000]
    fast = opened(lossless[0], speed=4)
    assert [frame.time_ns - BEGIN_NS for frame in fast.read(BEGIN_NS + 60_000_000)] == [0, 25_000_000, 50_000_000]


def test_unpaced_times_count_from_nought(lossless):
    frames = read_all(opened(lossless[0], paced=False))
    assert [frame.time_ns for frame in frames] == [n * 10**8 for n in range(30)]


def test_it_ends_and_never_begins_again(lossless):
    camera = opened(lossless[0])
    assert not camera.finished
    assert len(read_all(camera)) == 30
    assert camera.finished
    assert camera.read(END_NS) == []
    assert camera.take_notices() == []


def test_of_a_file_that_was_cut_off_the_intact_part_comes_and_the_rest_is_told(avi, tmp_path):
    """P3: if a sample is lost it is counted and explained."""
    whole = avi.read_bytes()
    (tmp_path / "cut {0}.avi").write_bytes(whole[: len(whole) * 6 // 10])
    camera = opened(tmp_path / "cut {0}.avi")
    frames = read_all(camera)
    assert 80 <= len(frames) <= 95
    (notice,) = camera.take_notices()
    assert notice.cause == "damaged"
    assert "cut {0}.avi is damaged" in notice.text
    assert "of 10.0 s" in notice.text
    assert abs(notice.samples_lost + len(frames) - 150) <= 2


def test_damage_in_the_middle_costs_what_is_damaged_and_not_the_rest(avi, tmp_path):
    data = bytearray(avi.read_bytes())
    rng = np.random.default_rng(4)
    for at in rng.integers(len(data) // 3, 2 * len(data) // 3, 60):
        data[at : at + 40] = rng.integers(0, 256, 40, dtype=np.uint8).tobytes()
    (tmp_path / "holes.avi").write_bytes(data)
    camera = opened(tmp_path / "holes.avi")
    frames = read_all(camera)
    assert len(frames) > 60
    assert frames[-1].time_ns - BEGIN_NS > 9_500_000_000
    steps = np.diff([frame.time_ns for frame in frames])
    assert (steps > 0).all()
    for notice in camera.take_notices():
        assert notice.cause in ("damaged", "dropped frames")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("missing.mp4", None, "no file .*missing.mp4; expected a video"),
        ("text.mp4", b"this is not a video\n" * 50, "can't be read as a video"),
        ("empty.mp4", b"", "can't be read as a video"),
    ],
)
def test_what_cannot_be_played_is_a_sentence_at_start(tmp_path, name, content, text):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DriverError, match=text):
        opened(tmp_path / name)


def test_a_file_with_sound_alone_is_a_sentence_at_start(tmp_path):
    with wave.open(str(tmp_path / "song.wav"), "wb") as song:
        song.setnchannels(1)
        song.setsampwidth(2)
        song.setframerate(8000)
        song.writeframes(bytes(16000))
    with pytest.raises(DriverError, match="no video stream, only sound"):
        opened(tmp_path / "song.wav")


def test_a_file_whose_codec_nobody_knows_is_a_sentence_at_start(tmp_path):
    write_video(tmp_path / "odd.mkv", noisy_pictures(3, 64, 48), "mpeg4")
    data = (tmp_path / "odd.mkv").read_bytes()
    (tmp_path / "odd.mkv").write_bytes(data.replace(b"V_MPEG4/ISO/ASP", b"V_NOBODYKNOWS_1"))
    with pytest.raises(DriverError, match=r"coded in a way that this FFmpeg doesn't know; convert it to H\.264"):
        opened(tmp_path / "odd.mkv")


def test_without_pyav_it_says_how_to_get_it(lossless, monkeypatch):
    really = importlib.import_module

    def no_av(name, package=None):
        if name == "av":
            raise ModuleNotFoundError("No module named 'av'", name="av")
        return really(name, package)

    monkeypatch.setattr(importlib, "import_module", no_av)
    with pytest.raises(DriverError, match=r"needs the Python package av .*pip install 'shelfedge\[camera\]'"):
        opened(lossless[0])


def test_a_still_of_a_file_is_of_its_own_size_and_shows_what_it_shows(avi):
    camera = opened(avi, size=[80, 60])
    camera.read(BEGIN_NS + 500_000_000)
    jpeg = av.CodecContext.create("mjpeg", "r").decode(av.Packet(camera.still()))[0]
    assert (jpeg.width, jpeg.height) == (160, 120)
    frame = camera.read(BEGIN_NS + 600_000_000)[0]
    small = jpeg.reformat(80, 60, "gray").to_ndarray().astype(float)
    assert np.corrcoef(small.ravel(), frame.y.ravel())[0, 1] > 0.95
