"""What a command writes appears whole or not at all, and never in place of something else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edge.config.demo import demo_node_path
from edge.trace.errors import TraceFileError
from edge.trace.whole_file import WholeFile


def test_a_pipe_is_refused_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(TraceFileError, match="is a device or a pipe"):
            WholeFile(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_link_stays_and_leads_to_the_new_file(tmp_path: Path) -> None:
    """Also one that leads nowhere yet; one that leads to itself is refused."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    for text in (b"first", b"second"):
        with WholeFile(tmp_path / "link") as whole:
            whole.file.write(text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "file").read_bytes() == text
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(TraceFileError, match="can't write here"):
        WholeFile(tmp_path / "round")


def test_a_file_called_part_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv.part").write_text("mine")
    with WholeFile(tmp_path / "a.csv") as whole:
        whole.file.write(b"new")
    assert (tmp_path / "a.csv.part").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.csv.part"]


@pytest.mark.parametrize("target", ["bay.mcap", "node.yaml", "planogram.yaml", "link.mcap"])
def test_replay_never_writes_over_what_it_reads(shelfedge, trace: Path, tmp_path: Path, target: str) -> None:
    for source in (trace, demo_node_path(), demo_node_path().with_name("planogram.yaml")):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "link.mcap").symlink_to("bay.mcap")
    before = (tmp_path / target).read_bytes()
    done = shelfedge("replay", "bay.mcap", "--config", "node.yaml", "--events", target, cwd=tmp_path)
    assert done.returncode == 1
    assert "is the file that is read" in done.stderr
    assert (tmp_path / target).read_bytes() == before


def test_a_folder_of_records_is_an_input_too(tmp_path: Path) -> None:
    from edge.cli.outputs import refuse_overwriting
    from edge.trace.errors import TraceError

    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "shelf-1.json").touch()
    with pytest.raises(TraceError, match="is the file that is read"):
        refuse_overwriting(tmp_path / "records" / "shelf-1.json", [None, tmp_path / "records"])
    refuse_overwriting(tmp_path / "records" / "new.json", [tmp_path / "records", tmp_path / "not-there"])


@pytest.mark.parametrize("name", ["picture.svg", "picture.png", "page.html"])
def test_a_plot_that_fails_keeps_the_former_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it is written."""
    from test_cli_plot import drawing

    from edge.trace.plot import write_plot

    (tmp_path / name).write_text("former")

    def interrupted(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_plot(drawing(), tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["former"]


def test_events_of_a_replay_that_is_interrupted_keep_the_former_file(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.cli.replay import replay
    from edge.stream.tally import Tally

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "events.jsonl").write_text("former")
    monkeypatch.setattr(Tally, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replay(trace, str(tmp_path / "events.jsonl"), "max", None)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["former"]


def test_events_of_a_damaged_trace_are_finished(shelfedge, damaged: Path, tmp_path: Path) -> None:
    done = shelfedge("replay", damaged, "--events", tmp_path / "events.jsonl")
    assert done.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]
    assert (tmp_path / "events.jsonl").read_bytes().endswith(b"}\n")


def test_bad_lines_are_listed_and_the_good_ones_scored(shelfedge, trace: Path, tmp_path: Path) -> None:
    """Exit code 3. Labels that name what isn't there are warned of."""
    path = tmp_path / "events.jsonl"
    assert shelfedge("replay", trace, "--events", path).returncode == 0
    path.write_text(path.read_text() + '{"event_id": 1e400}\n')
    (tmp_path / "labels.json").write_text('[{"kind": "pick", "board": "attic", "start_s": 1, "end_s": 2}]')
    done = shelfedge("score", trace, "--events", path, "--labels", tmp_path / "labels.json", "--json")
    assert done.returncode == 3
    assert "event_id: expected a text, got inf" in done.stderr
    assert "1 line isn't an event; the other" in done.stderr
    assert "labels.json: board 'attic' isn't in the config" in done.stderr
    assert done.stdout.startswith("{")


def test_every_command_refuses_to_write_over_what_it_reads(shelfedge, trace: Path, tmp_path: Path) -> None:
    """Each file that a command takes, by that command's way to name its output."""
    (tmp_path / "bay.mcap").write_bytes(trace.read_bytes())
    (tmp_path / "page.html").hardlink_to(tmp_path / "bay.mcap")
    for source in (demo_node_path(), demo_node_path().with_name("planogram.yaml")):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "a.csv").write_text("time_s,shelf-1.fl\n0,1\n")
    (tmp_path / "labels.json").write_text("[]")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    import_ = ["trace", "import", "a.csv", "--config", "node.yaml", "--labels", "labels.json"]
    for command, outputs in (
        (import_, ["a.csv", "node.yaml", "planogram.yaml", "labels.json"]),
        (["trace", "export", "bay.mcap"], ["bay.mcap"]),
        (["trace", "recover", "bay.mcap"], ["bay.mcap"]),
        (["trace", "cut", "bay.mcap", "--from", "1"], ["bay.mcap"]),
        (["plot", "bay.mcap"], ["page.html"]),
        (["simulate", "--config", "node.yaml"], ["node.yaml", "planogram.yaml"]),
    ):
        for output in outputs:
            done = shelfedge(*command, "-o", output, cwd=tmp_path)
            assert (done.returncode, done.stdout) == (1, ""), (command, output)
            assert f"{output}: is the file that is read" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
