"""Ranges of whole numbers, kept few: 1-4, 9-9, 20-31."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class SeqRanges:
    """Sorted ranges that neither overlap nor touch; first and last number of each belong to it."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __len__(self) -> int:
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        return self.end_of(number) is not None

    def add(self, first: int, last: int) -> None:
        """Add a range; ranges that meet become one. Does nothing where last is before first."""
        if last < first:
            return
        begin = bisect_left(self._lasts, first - 1)  # the first range that reaches to it
        end = bisect_right(self._firsts, last + 1)  # after the last one that it reaches
        if begin < end:
            first, last = min(first, self._firsts[begin]), max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    @property
    def highest(self) -> int:
        """The highest number; 0 where there is none."""
        return self._lasts[-1] if self._lasts else 0

    def end_of(self, number: int) -> int | None:
        """The last number of the range that holds this one; None where none does."""
        at = bisect_right(self._firsts, number) - 1
        return self._lasts[at] if at >= 0 and number <= self._lasts[at] else None

    def drop_below(self, number: int) -> None:
        """Forget every number before this one."""
        gone = bisect_left(self._lasts, number)
        del self._firsts[:gone], self._lasts[:gone]
        if self._firsts and self._firsts[0] < number:
            self._firsts[0] = number

    def drop_first(self) -> None:
        """Forget the lowest range."""
        del self._firsts[:1], self._lasts[:1]

    def drop_last(self) -> None:
        """Forget the highest range."""
        del self._firsts[-1:], self._lasts[-1:]
