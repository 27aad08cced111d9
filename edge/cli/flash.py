"""`shelfedge flash`: new firmware into a shelf MCU, checked before, verified after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def flash(
    port: Annotated[
        str | None,
        typer.Option(metavar="PORT", help="The serial port, or a USB socket as 1-1.2 [the one MCU plugged in]."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE.hex", help="The image, its manifest (.json) beside it [the bundled one]."),
    ] = None,
    serial: Annotated[str | None, typer.Option(metavar="TEXT", help="Of several MCUs, the one with this name.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Give the MCU this name (its serial), once; it keeps it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object on stdout.")] = False,
) -> None:
    """Flash a shelf MCU: check the image, write it, read it back, and see that it runs with its settings kept.

    A failed try leaves an MCU that can be flashed again: fix what the error names, then run the same command.
    """
    import json
    import sys

    from edge.cli.flash_show import FlashShow
    from firmware_bridge.flash.flasher import describe, flash_mcu
    from firmware_bridge.flash.image import bundled_image, load_image
    from firmware_bridge.link.identify import find_by_serial
    from firmware_bridge.link.ports import find_port
    from firmware_bridge.protocol.codes import PROTOCOL_VERSION
    from firmware_bridge.protocol.commands import serial_data

    if name is not None:
        try:
            serial_data(name)
        except ValueError as error:
            raise typer.BadParameter(f"--name: {error}") from None
    if port is not None and serial is not None:
        raise typer.BadParameter("--port and --serial both choose the MCU; give one of them")
    checked = load_image(image or bundled_image(), PROTOCOL_VERSION)
    chosen = find_port(port) if serial is None else find_by_serial(serial)
    with FlashShow(sys.stderr) as show:
        done = flash_mcu(chosen, checked, show, name=name)
    if as_json:
        result = {
            "port": done.port,
            "baud": done.baud,
            "board": done.after.board,
            "serial": done.after.serial,
            "firmware": done.after.firmware,
            "protocol": done.after.protocol,
            "image": str(checked.path),
            "size": len(checked.memory),
            "crc32": done.after.image_crc32,
            "before": None if done.before is None else {"firmware": done.before.firmware, "serial": done.before.serial},
            "settings_kept": done.settings_kept,
            "seconds": round(done.took_s, 2),
        }
        typer.echo(json.dumps(result))
        return
    kept = "" if done.settings_kept is None else ", its settings are kept"
    typer.echo(f"PASS: {done.port}: {describe(done.after)}, flashed and verified in {done.took_s:.1f} s{kept}")
