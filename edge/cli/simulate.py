"""`shelfedge simulate`: a labelled trace of shelves that aren't there."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class FaultChoice(StrEnum):
    """How much goes wrong with the converters."""

    NONE = "none"
    SOME = "some"
    WORST = "worst"


def _random(text: str) -> str:
    return f"Random scene only: {text}"


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.mcap", help="The trace to write.")],
    config: Annotated[
        Path | None, typer.Option(metavar="NODE.yaml", help="The node file; without it, the demo bay.")
    ] = None,
    scene: Annotated[str, typer.Option(metavar="random|FILE.yaml", help="What people do.")] = "random",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same trace.")] = 1,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=6000, help="Length of the trace. Without it: 10, or until a file's actions are done."
        ),
    ] = None,
    faults: Annotated[FaultChoice, typer.Option(help="Spikes, lost samples and resets.")] = FaultChoice.SOME,
    people: Annotated[
        int,
        typer.Option(
            min=0, max=8, help="So many people at a time do it, and a ceiling camera follows them; 0: nobody is seen."
        ),
    ] = 0,
    gap_s: Annotated[
        tuple[float, float] | None, typer.Option(help=_random("shortest and longest time between actions [3 5]."))
    ] = None,
    put_back_share: Annotated[float | None, typer.Option(min=0, max=1, help=_random("share of returns [0.3]."))] = None,
    wrong_slot_share: Annotated[
        float | None, typer.Option(min=0, max=1, help=_random("share of returns that go into a wrong slot [0]."))
    ] = None,
    grab_share: Annotated[
        float | None, typer.Option(min=0, max=1, help=_random("share of picks of 2 or 3 units at once [0]."))
    ] = None,
    leans_per_minute: Annotated[
        float | None, typer.Option(min=0, max=60, help=_random("leans and bumps [0.5]."))
    ] = None,
) -> None:
    """Write a labelled trace of simulated shelves: physics, shoppers, disturbances, and the truth about them."""
    wishes: dict[str, Any] = {
        "gap_s": gap_s,
        "put_back_share": put_back_share,
        "wrong_slot_share": wrong_slot_share,
        "grab_share": grab_share,
        "leans_per_minute": leans_per_minute,
    }
    wishes = {name: value for name, value in wishes.items() if value is not None}
    if gap_s is not None and not 0.2 <= gap_s[0] <= gap_s[1] <= 3600.0:
        raise typer.BadParameter("--gap-s: expected two times from 0.2 s to 3600 s, the shorter one first, like 3 5")
    if scene != "random" and wishes:
        names = ", ".join("--" + name.replace("_", "-") for name in wishes)
        raise typer.BadParameter(f"{names}: a scene out of a file says itself what happens; leave this out")

    import sys

    from rich.console import Console
    from rich.progress import Progress

    from drivers.simulated.physics import FaultRates
    from drivers.simulated.shopper import RandomShopper
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.config.demo import demo_node_path
    from edge.config.setup import load_setup
    from edge.node.scene_file import read_scene
    from edge.node.simulate import QUIET_END_S, physics_for, simulate_trace
    from edge.trace.counted import counted

    node_path = config or demo_node_path()
    setup = load_setup(node_path)
    refuse_overwriting(output, [None if scene == "random" else Path(scene), *config_files(node_path, setup)])
    script = None if scene == "random" else read_scene(Path(scene), setup)
    duration_s = minutes * 60.0 if minutes is not None else 600.0 if script is None else script.last_s + 10.0
    shopper = dataclasses.replace(RandomShopper(seed, until_s=duration_s - QUIET_END_S), **wishes)
    rates = {"none": FaultRates.none(), "some": FaultRates(), "worst": FaultRates.worst()}[faults.value]
    physics = physics_for(setup, seed, rates)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"simulating {output.name}", total=duration_s)
        labels = simulate_trace(
            setup,
            output,
            seed,
            duration_s,
            script or shopper,
            physics,
            lambda done_s: bar.update(task, completed=done_s),
            people,
        )
    moves = counted(len(labels), "labelled movement")
    typer.echo(f"{output}: {duration_s:g} s of {counted(len(physics), 'board')}, {moves}, seed {seed}", err=True)
