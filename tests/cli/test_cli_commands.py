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
    tally, *faults = done.stderr.splitlines()
    assert "times real time" in tally
    assert all(line.startswith(("shelf-1 cell ", "shelf-2 cell ")) and " sample" in line for line in faults)


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


def test_an_empty_list_of_labels_says_that_nothing_happened(shelfedge, trace: Path, tmp_path: Path) -> None:
    labels = tmp_path / "none.json"
    labels.write_text("[]", "utf-8")
    done = shelfedge("score", trace, "--labels", labels, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["label_units"] == 0
    assert result["false_units"] == result["event_units"] > 0
    assert result["false_per_hour"] > 0


def test_score_without_labels_says_how_to_give_some(shelfedge, tmp_path: Path) -> None:
    """Only a trace to which no list is attached is refused; an empty one attached by the import is a list."""
    from edge.config.demo import demo_node_path

    (tmp_path / "none.json").write_text("[]", "utf-8")
    rows = [f"{k / 10:.1f},{1000 + k % 7},{1000 + k % 5}" for k in range(100)]
    (tmp_path / "a.csv").write_text("time_s,shelf-1.fl,shelf-1.fr\n" + "\n".join(rows) + "\n", "utf-8")
    words = ["trace", "import", tmp_path / "a.csv", "--config", demo_node_path()]
    assert shelfedge(*words, "-o", tmp_path / "bare.mcap").returncode == 0
    assert shelfedge(*words, "-o", tmp_path / "calm.mcap", "--labels", tmp_path / "none.json").returncode == 0
    refused = shelfedge("score", tmp_path / "bare.mcap")
    assert refused.returncode == 1
    assert "no labels are attached" in refused.stderr
    assert "--labels FILE" in refused.stderr
    done = shelfedge("score", tmp_path / "calm.mcap", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["false_per_hour"] == 0
    assert "warning: board shelf-1 can't be weighed with: it has no calibration record; " in done.stderr
    assert "--calibration FILE" in done.stderr
    assert "--config NODE.yaml" in done.stderr


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
