"""Simulated boards and a simulated ceiling camera show the same people, so that events say who it was."""

from __future__ import annotations

import math
from pathlib import Path

from eye_benches import write_node
from node_benches import Kept, S, ToldClock, at_once

from drivers.camera.scenes.aisle import STAYS_S, Aisle, Need
from drivers.camera.scenes.ceiling import Shop, ways_of
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.fusion.engine import Fusion
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.loop import FusionLoop
from edge.trace.event import Status
from edge.vision.look import Look

CAMERA = "cameras:\n  c1: {driver: {type: simulated, size: [160, 120]}, looks_at: floor}\n"
SECONDS = 16


def test_who_is_needed_stands_there_in_time_and_stays_as_long() -> None:
    aisle = Aisle(ways_of(Shop()), 3)
    needs = [Need(4.0 + 3.5 * n, 0.3 * (n % 3) - 0.4, 1.5, 1.57, takes=f"s{n}") for n in range(12)]
    for need in needs:
        aisle.at(need.at_s - 3.4)
        aisle.needed(need)
        _, identity = aisle.visits[-1]
        for at_s in (need.at_s, need.at_s + 0.9 * STAYS_S):
            person = next(person for person in aisle.at(at_s) if person.identity == identity)
            assert math.hypot(person.x - need.x_m, person.y - need.y_m) < 0.1
    assert len({identity for _, identity in aisle.visits}) > 2, "not always the same one"
    assert aisle.at(200.0) == [], "and all go home"


def test_an_item_is_put_back_by_the_one_who_took_it() -> None:
    aisle = Aisle(ways_of(Shop()), 4)
    aisle.needed(Need(4.0, -0.4, 1.5, 1.57, takes="cola"))
    aisle.at(5.0)
    aisle.needed(Need(8.0, 0.4, 1.5, 1.57, takes="milk"))
    aisle.at(5.2)
    aisle.needed(Need(12.0, -0.4, 1.5, 1.57, gives="cola"))
    (_, took), _, (_, gave) = aisle.visits
    assert took == gave


def test_live_events_say_who_it_was(tmp_path: Path) -> None:
    """From rendered pictures and simulated cells to a name, and it is the right one."""
    path = write_node(tmp_path, CAMERA)
    path.write_text(path.read_text().replace("y: 1.2 m", "y: 2 m"))
    clock = ToldClock()
    hardware = Hardware(load_setup(path), path, 2, clock)
    setup = hardware.setup
    camera, look, kept = hardware.make_camera("c1"), Look("c1", setup, 7), Kept()
    camera.start()
    boards = Boards(setup.node.boards, hardware.make, clock, background=at_once)

    def seen():
        return [sighting for frame in camera.read(clock()) for sighting in look.push(frame)]

    loop = FusionLoop(boards, Fusion(setup), kept, clock, clock.sleep, seen)
    begin_ns, walked = clock(), []
    assert hardware._aisle is not None
    assert hardware._simulated is not None
    while clock() < begin_ns + SECONDS * S:
        loop.round()
        loop.wait()
        people = hardware._aisle.aisle.at(hardware._simulated.scene_s())
        walked.append((clock(), {person.identity: (1000 * person.x, 1000 * person.y) for person in people}))
    loop.finish()
    finals = [event for event in kept.events if event.status is Status.FINAL]
    assert len(finals) >= 2
    visits = list(hardware._aisle.aisle.visits)
    for event in finals:
        need, identity = min(visits, key=lambda visit: abs(begin_ns + visit[0].at_s * S - event.time_ns))
        name, probability = max(event.who, key=lambda each: each[1])
        points = [each for each in kept.sightings if each.track == name]
        point = min(points, key=lambda each: abs(each.time_ns - event.time_ns))
        _, people = min(walked, key=lambda each: abs(each[0] - point.time_ns))
        x_mm, y_mm = people[identity]
        assert math.hypot(x_mm - point.x_mm, y_mm - point.y_mm) < 300.0, (event, need)
        assert probability > 0.3


def test_the_example_with_a_camera_is_a_good_node_file() -> None:
    setup = load_setup(demo_node_path().with_name("aisle.yaml"))
    assert setup.node.follows_people
    assert all(board.place is not None for board in setup.node.boards.values())


def test_a_machine_that_cant_paint_all_pictures_loses_some_and_isnt_late(tmp_path: Path) -> None:
    """Else everything that a simulated camera tells would come too late to be decided with."""
    path = write_node(tmp_path, CAMERA)
    clock = ToldClock()
    hardware = Hardware(load_setup(path), path, 2, clock)
    for board in hardware.setup.node.boards:
        hardware.make(board).start()
    camera = hardware.make_camera("c1")
    camera.start()
    camera.read(clock())
    clock.ns += 3 * S
    frames = camera.read(clock())
    assert len(frames) < 10
    assert clock() - frames[-1].time_ns < S // 5
    assert frames[-1].sequence > 40
