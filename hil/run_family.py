"""Scenes made, decided and scored, several at once: the jobs of the bench and the processes that do them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hil.case_facts import CaseFacts

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class SceneJob:
    """One scene to make, decide and score. ``peers``: names of peers that decide the same samples too."""

    family: str
    layout: str
    split: str
    index: int
    minutes: float
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What fusion came to, and each peer by name; seconds of processor time that making and deciding took."""

    fusion: CaseFacts
    peers: dict[str, CaseFacts]
    making_s: float
    deciding_s: float


def run_scene(job: SceneJob) -> SceneResult:
    """Do one job in this process."""
    from edge.fusion.replay import replay
    from hil.case_facts import facts_of
    from hil.families import make_case

    started = time.process_time()
    case = make_case(job.family, job.layout, job.split, job.index, minutes=job.minutes)
    made = time.process_time()
    ours = facts_of(case, job.index, replay(case.blocks, case.setup))
    decided = time.process_time()
    peers: dict[str, CaseFacts] = {}
    if job.peers:
        from hil.peers import PEERS

        for name in job.peers:
            with contextlib.suppress(ImportError):  # its library isn't installed: the others are worth having
                peers[name] = facts_of(case, job.index, PEERS[name](case))
    return SceneResult(ours, peers, made - started, decided - made)


def run_jobs(
    do: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    title: str,
    console: Console,
    workers: int = 2,
    name: Callable[[_Job], str] = str,
) -> tuple[list[tuple[_Job, _Result]], list[str]]:
    """Do jobs in ``workers`` fresh processes with a progress line; what was done, in the jobs' order, and what failed.

    ``do`` is a module's function and jobs are picklable. A job that fails costs only itself: a sentence says why.
    """
    done: dict[int, _Result] = {}
    failures: list[str] = []
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # the processes share the cores, not libraries' threads
    with (
        _bar(console) as bar,
        ProcessPoolExecutor(min(workers, max(1, len(jobs))), multiprocessing.get_context("spawn")) as pool,
    ):
        task = bar.add_task(title, total=len(jobs))
        waiting: dict[Future[_Result], int] = {pool.submit(do, job): number for number, job in enumerate(jobs)}
        for future in as_completed(waiting):
            number = waiting[future]
            error = future.exception()
            if error is None:
                done[number] = future.result()
            else:
                failures.append(f"{name(jobs[number])}: {type(error).__name__}: {error}")
            bar.advance(task)
    return [(job, done[number]) for number, job in enumerate(jobs) if number in done], sorted(failures)


def by_family(results: Iterable[CaseFacts]) -> dict[str, list[CaseFacts]]:
    """Scenes by the name of their family, in the order in which families first come."""
    groups: dict[str, list[CaseFacts]] = {}
    for facts in results:
        groups.setdefault(facts.family, []).append(facts)
    return groups


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
