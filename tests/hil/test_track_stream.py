"""What `hil.track_stream` measures is within what issue F asks for; the long run is `make bench`'s."""

from __future__ import annotations

from hil.track_stream import clocks, weigh


def test_a_walker_takes_no_more_than_40_bytes_and_ten_updates_a_second() -> None:
    for people in (1, 8):
        size = weigh(people, minutes=0.5)
        assert size.worst <= 40.0
        assert size.all <= 40.0
        assert 9.0 <= size.updates_hz <= 10.0


def test_the_stated_doubt_of_a_clock_holds_over_every_network() -> None:
    for clock in clocks(seconds=300.0):
        assert clock.within >= 0.95, clock.network
        assert clock.most <= 5.0 * clock.sd, clock.network
