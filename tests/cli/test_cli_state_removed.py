"""`shelfedge run` while somebody removes its state folder."""

from __future__ import annotations

import shutil
import signal

from run_process import PATIENCE_S, NodeProcess, demo_node, wait_for

from edge.node.control import NodeNotRunningError, ask
from edge.stream.outbox.reader import OutboxReader


def _answers(node: NodeProcess) -> bool:
    try:
        return bool(ask(node.state, {"do": "who"})["pid"] == node.process.pid)
    except NodeNotRunningError:
        return False


def _kept(node: NodeProcess) -> int:
    with OutboxReader(node.state / "outbox.db") as reader:
        return len(list(reader.rows()))


def test_a_node_holds_its_state_folder_though_it_was_removed(tmp_path, shelfedge):
    """P1: lock, socket and outbox are there again within seconds, and a second node is refused as before."""
    with NodeProcess(demo_node(tmp_path), "--visit-every", "1") as node:
        node.wait_ready()
        wait_for(lambda: _kept(node) > 3)
        shutil.rmtree(node.state)
        node.wait_log("was removed while the node ran; it is made anew")
        wait_for(lambda: _answers(node))
        wait_for(lambda: (node.state / "outbox.db").exists() and _kept(node) > 2)
        assert "this node runs already" in shelfedge("run", node.node).stderr
        assert len(list(node.state.glob("outbox.damaged-*.db"))) <= 3
        assert node.stop() == 0
        assert "UNIQUE" not in node.log_text()
        assert "Traceback" not in node.log_text()


def test_a_node_whose_folder_was_taken_by_another_stops(tmp_path):
    """P1: two would write to one outbox. The second goes on undisturbed."""
    path = demo_node(tmp_path)
    with NodeProcess(path, "--visit-every", "1") as first:
        first.wait_ready()
        wait_for(lambda: _kept(first) > 3)
        first.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(first.state)
        with NodeProcess(path, "--visit-every", "1") as second:
            second.wait_ready()
            wait_for(lambda: _kept(second) > 3)
            first.process.send_signal(signal.SIGCONT)
            assert first.process.wait(PATIENCE_S) == 1
            assert "this one stops" in first.log_text()
            before = _kept(second)
            wait_for(lambda: _kept(second) > before)
            assert _answers(second)
            assert second.stop() == 0
            assert list(second.state.glob("outbox.damaged-*")) == []
            assert "Traceback" not in first.log_text() + second.log_text()
            assert "removed" not in second.log_text()
