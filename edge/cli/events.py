"""`shelfedge events tail`, `shelfedge events export` and `shelfedge events tracks`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer(no_args_is_help=True, help="Watch a node's events or tracks, or write events to a file.")

_Node = Annotated[Path, typer.Argument(metavar="NODE.yaml", help="The node's file.")]
_Broker = Annotated[bool, typer.Option("--broker", help="Through the node's broker; else from its outbox here.")]
_Url = Annotated[str | None, typer.Option(metavar="URL", help="Through this broker: mqtts://broker.example:8883.")]
_Username = Annotated[str | None, typer.Option(metavar="NAME", help="Log in there as; else as the node does.")]
_Password = Annotated[Path | None, typer.Option(metavar="FILE", help="The file with its password.")]
_Ca = Annotated[Path | None, typer.Option(metavar="FILE", help="Who signed the broker's certificate.")]
_Certificate = Annotated[Path | None, typer.Option(metavar="FILE", help="A certificate to log in with.")]
_Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key.")]


def _moment_ns(text: str, option: str, now: datetime) -> int:
    """Nanoseconds since 1970: so long ago, or a time as `shelfedge record` takes it."""
    from edge.config.quantity import AGE
    from edge.node.record_times import wall_ns

    try:
        return round((now.timestamp() - AGE.parse(text)) * 1e9)
    except ValueError:
        return wall_ns(text, option, now)


@app.command()
def tail(
    config: _Node,
    last: Annotated[int, typer.Option(min=0, metavar="N", help="Begin with so many that are there already.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines on a terminal too; elsewhere they always are.")
    ] = False,
    broker: _Broker = False,
    url: _Url = None,
    username: _Username = None,
    password_file: _Password = None,
    ca: _Ca = None,
    certificate: _Certificate = None,
    key: _Key = None,
) -> None:
    """Show a node's last events and then each new one, until Ctrl-C.

    Reading disturbs neither the node nor its back end: nothing is acknowledged, and nothing is asked for. A broker
    keeps no past: from there it shows what comes from now on.
    """
    import sys
    from collections.abc import Iterator

    from edge.cli.errors import warn
    from edge.config.setup import load_setup
    from edge.config.state_folder import state_folder
    from edge.stream.broker_choice import broker_options
    from edge.stream.entry import Entry
    from edge.stream.entry_json import entry_to_line
    from edge.stream.entry_text import entry_to_text
    from edge.stream.event_reader import OutboxEvents, follow_broker
    from edge.stream.uplink.topics import Names

    node = load_setup(config).node
    plain = as_json or not sys.stdout.isatty()

    def show(entries: Iterator[Entry]) -> None:
        for entry in entries:
            line = entry_to_line(entry, node.store, node.node) if plain else entry_to_text(entry)
            sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()

    options = broker_options(node, config.parent, broker, url, username, password_file, ca, certificate, key)
    if options is not None:
        address = options.broker

        def listening(warnings: list[str]) -> None:
            warn(warnings)
            typer.echo(f"{address}: listening to {node.node}; Ctrl-C ends it", err=True)

        show(follow_broker(options, Names(node.store, node.node), listening, lambda problem: warn([problem])))
        return
    with OutboxEvents(state_folder(config, node) / "outbox.db") as outbox:
        show(iter(outbox.last(last)))
        warn(outbox.problems)
        told = len(outbox.problems)
        for entry in outbox.follow():
            show(iter([entry]))
            warn(outbox.problems[told:])
            told = len(outbox.problems)


@app.command()
def export(
    config: _Node,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="Where the JSON lines go; - is stdout.")
    ] = "-",
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From then on: 2h (ago), 18:05, 2026-11-21T18:05.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Until then.")] = None,
    boot: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of this start of the node alone.")] = None,
    final: Annotated[bool, typer.Option("--final", help="Only events that are settled, none provisional.")] = False,
    notes: Annotated[bool, typer.Option(help="What the stream says of itself, too.")] = True,
    broker: _Broker = False,
    url: _Url = None,
    username: _Username = None,
    password_file: _Password = None,
    ca: _Ca = None,
    certificate: _Certificate = None,
    key: _Key = None,
) -> None:
    """Write what a node has kept of its events as JSON lines, delivered or not, oldest first.

    From its outbox on this machine, whether it runs or not. With --broker the node is asked to send it all again: it
    must be online and allow the command resend, and its back end gets it too, as duplicates. `score --events` and `plot
    --events` read such a file.
    """
    import contextlib
    import sys
    from datetime import datetime
    from typing import BinaryIO

    from edge.cli.errors import warn
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.cli.progress_line import ProgressLine
    from edge.config.setup import load_setup
    from edge.config.state_folder import state_folder
    from edge.stream.broker_choice import broker_options
    from edge.stream.broker_export import BrokerExport, ExportProgress
    from edge.stream.entry_json import entry_to_line
    from edge.stream.event_choice import EventChoice
    from edge.stream.event_reader import OutboxEvents, raise_losses
    from edge.stream.uplink.topics import Names
    from edge.trace.whole_file import WholeFile

    now = datetime.now().astimezone()
    choice = EventChoice(
        since_ns=None if since is None else _moment_ns(since, "--since", now),
        until_ns=None if until is None else _moment_ns(until, "--until", now),
        boot=boot,
        final=final,
        notes=notes,
    )
    setup = load_setup(config)
    node = setup.node
    path = state_folder(config, node) / "outbox.db"
    options = broker_options(node, config.parent, broker, url, username, password_file, ca, certificate, key)
    count = 0
    with contextlib.ExitStack() as stack:
        if options is not None:
            line = ProgressLine()

            def show(at: ExportProgress) -> None:
                if output != "-" or not sys.stdout.isatty():
                    line.show(f"{node.node}: start {at.boot} of {at.boots}, {at.entries} entries")

            remote = BrokerExport(options, Names(node.store, node.node), progress=show)
            stack.callback(remote.close)
            stack.callback(line.clear)
            warn(remote.open())
            problems, entries = remote.problems, remote.entries(boot)
        else:
            outbox = stack.enter_context(OutboxEvents(path))
            problems, entries = outbox.problems, outbox.all()
        out: BinaryIO = sys.stdout.buffer
        if output != "-":
            refuse_overwriting(Path(output), [path, *config_files(config, setup)])
            out = stack.enter_context(WholeFile(Path(output))).file
        for entry in choice.of(entries):
            out.write(entry_to_line(entry, node.store, node.node).encode() + b"\n")
            count += 1
        out.flush()
    where = path if options is None else options.broker
    typer.echo(f"{where}: {count} {'entry' if count == 1 else 'entries'}", err=True)
    raise_losses(problems)


@app.command()
def tracks(
    config: _Node,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines on a terminal too; elsewhere they always are.")
    ] = False,
    url: _Url = None,
    username: _Username = None,
    password_file: _Password = None,
    ca: _Ca = None,
    certificate: _Certificate = None,
    key: _Key = None,
) -> None:
    """Show where ceiling cameras see people now, until Ctrl-C: this node's, and those of the nodes it hears.

    Through the broker, as other nodes see it: a line for each camera and second, also where nobody is. A camera that
    shows no line is covered, dark or off.
    """
    import sys

    from edge.cli.errors import warn
    from edge.config.setup import load_setup
    from edge.stream.broker_choice import broker_options
    from edge.stream.track_watch import follow_tracks
    from edge.stream.uplink.topics import Names

    node = load_setup(config).node
    instead = (
        "add `uplink: {broker: mqtts://...}` to the node file; how many people its own cameras see is in "
        "`shelfedge monitor` too, without a broker"
    )
    options = broker_options(node, config.parent, True, url, username, password_file, ca, certificate, key, instead)
    assert options is not None, "a broker is wanted: either there is one, or it was said that there is none"
    ids = [*([node.node] if node.follows_people else []), *node.tracks.nodes] or [node.node]
    plain = as_json or not sys.stdout.isatty()

    def listening(warnings: list[str]) -> None:
        warn(warnings)
        typer.echo(f"{options.broker}: listening to {', '.join(ids)}; Ctrl-C ends it", err=True)

    for line in follow_tracks(
        options, [Names(node.store, each) for each in ids], plain, listening, lambda problem: warn([problem])
    ):
        sys.stdout.buffer.write(line.encode() + b"\n")
        sys.stdout.buffer.flush()
