"""replay, score and plot on a trace, whole and damaged, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_replay_writes_json_lines_on_stdout_and_the_tally_on_stderr(shelfedge, trace: Path) -> None:
    done = shelfedge("replay", trace)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events
    assert list(events[0])[:3] == ["event_id", "revision", "status"]
    assert "times real time" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_score_and_plot_take_the_events_that_replay_wrote(shelfedge, trace: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    assert shelfedge("replay", trace, "--events", events).returncode == 0
    given = shelfedge("score", trace, "--events", events, "--json")
    replayed = shelfedge("score", trace, "--json")
    assert given.returncode == 0, given.stderr
    assert json.loads(given.stdout) == json.loads(replayed.stdout)
    assert {"f1", "review_share", "accepted_error", "false_per_hour", "final_latency_p95_s"} <= set(
        json.loads(given.stdout)
    )
    done = shelfedge("plot", trace, "--events", events, "-o", tmp_path / "a.html", "--from", "5", "--to", "30")
    assert done.returncode == 0, done.stderr
    assert "shelf-1" in (tmp_path / "a.html").read_text("utf-8")


def test_score_prints_a_table_for_people(shelfedge, trace: Path) -> None:
    done = shelfedge("score", trace)
    assert done.returncode == 0, done.stderr
    for words in ("F1", "precision", "recall", "for review", "error among accepted", "false per hour"):
        assert words in done.stdout


def test_score_without_labels_says_how_to_give_some(shelfedge, trace: Path, tmp_path: Path) -> None:
    labels = tmp_path / "none.json"
    labels.write_text("[]", "utf-8")
    done = shelfedge("score", trace, "--labels", labels)
    assert done.returncode == 1
    assert "--labels FILE" in done.stderr


@pytest.mark.parametrize("command", [["replay"], ["score", "--json"], ["plot", "-o", "cut.html"]])
def test_of_a_damaged_trace_the_intact_part_is_used_and_the_exit_code_is_3(
    shelfedge, damaged: Path, tmp_path: Path, command: list[str]
) -> None:
    done = shelfedge(command[0], damaged, *command[1:], cwd=tmp_path)
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    assert str(damaged) in done.stderr
    assert done.stdout or (tmp_path / "cut.html").exists()


def test_replay_with_another_node_file(shelfedge, trace: Path) -> None:
    from edge.config.demo import demo_node_path

    # The demo's node file has no calibration: the trace's own records fill the gap, so the events are the same.
    done = shelfedge("replay", trace, "--config", demo_node_path())
    assert done.stdout == shelfedge("replay", trace).stdout != ""
    assert "Traceback" not in done.stderr
