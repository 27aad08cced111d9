"""The faults by name, and what to do about each: one sentence a technician can act on."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Names that stay the same for programs. Rows are those of facts/loadcell.md section 5."""

    # A cell and its converter; what explains the others stands first.
    NO_SAMPLES = "no samples"
    NOT_READY = "not ready"  # row 2
    ALL_ZERO = "all zero"  # row 7
    CLIPPED = "clipped"  # row 5
    STUCK = "stuck code"  # row 6
    DEAD_INPUT = "dead input"  # row 6
    FLOATING = "floating bridge"  # row 9
    WRONG_RATE = "wrong rate"  # row 11
    GAIN_SLIPS = "gain slips"  # row 4
    DESYNC = "clock pulses lost"  # row 4
    DEAD_BAND = "dead band in codes"  # row 18
    NOT_SETTLED = "samples not settled"  # row 12
    RESTARTS = "chip restarts"  # row 1
    CORRUPT = "corrupt codes"  # rows 1, 3
    LONG_PULSES = "clock held high"  # row 1
    LATE_READS = "late reads"  # row 3
    UNSTEADY_CLOCK = "unsteady clock"
    LOST = "lost conversions"
    NOISY = "noise above datasheet"  # row 10
    MAINS = "mains hum"  # row 10
    IMPULSES = "impulse bursts"  # row 10
    CREEP = "creep"  # row 15
    DRIFT = "drift"  # of one cell, or of all for too short to tell rows 13 and 14
    OVERLOAD = "overload"
    OFF_CLASS = "zero out of class"

    # A board.
    BROWN_OUT = "brown-out"
    SHARED_CLOCK = "clock shared by chips"  # row 17
    WARM_UP = "warming up"  # row 13
    TEMPERATURE = "drift with temperature"  # row 14
    CELL_DEAD = "cell carries nothing"  # row 16
    REVERSED = "polarity reversed"  # row 8
    WRONG_GAIN = "wrong gain or channel"
    BINDING = "corner not free"  # row 16
    UNEVEN = "cells don't share the load"  # row 16
    SWAPPED_BOARDS = "boards swapped"
    WRONG_CALIBRATION = "wrong calibration"
    NOT_CALIBRATED = "not calibrated"
    OLD_CALIBRATION = "old calibration"
    VIBRATION = "vibration"
    STOCK_DIFFERS = "weight differs from stock"

    # A link to a shelf MCU.
    UNPLUGGED = "unplugged"
    MCU_SILENT = "MCU silent"
    LINK_DAMAGE = "damaged frames"
    LINK_LOSS = "samples lost on the way"
    MCU_RESTARTS = "MCU restarts"
    MCU_FIRMWARE = "other firmware"
    DRIVER = "driver can't read"

    # A camera.
    NO_PICTURES = "no pictures"
    FROZEN = "picture frozen"
    COVERED = "lens covered"
    DARK = "too dark"
    MOVED = "camera moved"
    FEW_PICTURES = "too few pictures"
    LEFT_OUT = "pictures left out"
    LATE_PICTURES = "pictures too late"
    DISBELIEVED = "camera and scale disagree"
    MODEL = "model not used"
    NO_TRACKS = "no tracks from a node"

    # The node.
    CONFIG = "config refused"
    NOT_ANSWERING = "node doesn't answer"
    NOT_RUNNING = "node not running"
    RESTART_NEEDED = "node uses older files"
    UNDER_VOLTAGE = "under-voltage"
    THROTTLED = "throttled"
    HOT = "too hot"
    CLOCK = "clock not right"
    DISK_FULL = "disk full"
    DISK_SICK = "disk can't be written"
    DISK_SLOW = "disk slow"
    MEMORY = "memory short"
    OUTBOX = "outbox trouble"
    BROKER = "broker unreachable"
    CERTIFICATE = "certificate"
    SECRETS = "secrets readable by others"
    LATE_LOOP = "loop late"
    PART_FAILED = "part given up"
    RECORDING = "recording trouble"


ALARMS = tuple(Fault)
"""In order: what explains others comes before them."""

_REMEDIES: dict[Fault, str] = {
    Fault.NO_SAMPLES: "check that the amplifier has power and that its DOUT and SCK go to the pins the node file names",
    Fault.NOT_READY: "DOUT is always high: check the amplifier's supply and whether SCK and DOUT are exchanged",
    Fault.ALL_ZERO: "DOUT is shorted to ground or has no pull: look for solder between DOUT and GND, and at the pin",
    Fault.CLIPPED: "check the cell's four wires for an open or swapped lead, then whether far too much lies on it",
    Fault.STUCK: "check E+ and E- (is there excitation?), then change the amplifier",
    Fault.DEAD_INPUT: "look for a short between A+ and A-, then measure the excitation between E+ and E-",
    Fault.FLOATING: "tie the amplifier's E- (AGND) to its GND, and check that none of the cell's wires is loose",
    Fault.WRONG_RATE: "set the RATE strap (pin 15) of the chip, or correct rate in the node file",
    Fault.GAIN_SLIPS: "shorten SCK and DOUT, add 100 ohm in series at the reader, and use clock phases of 1 us or more",
    Fault.DESYNC: "shorten SCK and DOUT, keep them apart, and add 100 ohm in series at the reader",
    Fault.DEAD_BAND: "read DOUT as a plain input, without the pin's own pull-up, and check its solder joint",
    Fault.NOT_SETTLED: "drop four conversions after power-up and each change of gain or channel, or use a shelf MCU",
    Fault.RESTARTS: "check the amplifier's supply and ground under load; on a Pi's own pins, move it to a shelf MCU",
    Fault.CORRUPT: "SCK is held high in mid-read by a busy host: read through a shelf MCU, or shorten the wires",
    Fault.LONG_PULSES: "the host is too busy to clock the chip: read it through a shelf MCU",
    Fault.LATE_READS: "the reader comes too late after the ready edge: take load off it, or read through a shelf MCU",
    Fault.UNSTEADY_CLOCK: "the reader stamps or reads at wrong times: take load off it, or read through a shelf MCU",
    Fault.LOST: "the reader is too slow or held up: take load off it, or read fewer chips with it",
    Fault.NOISY: "twist and shorten the cell's cable, shield it at one end, and feed the amplifier from a clean 5 V",
    Fault.MAINS: "keep the cell's cable away from mains leads and supplies, twist it, and tie its shield to ground",
    Fault.IMPULSES: "look for relays, motors or radios near the cable, and check it for a dry joint by moving it",
    Fault.DRIFT: "leave it switched on for 15 min, keep heat and draught away, then diagnose again",
    Fault.CREEP: "keep its load below half of its capacity, or change it; `shelfedge calibrate creep` measures it",
    Fault.OVERLOAD: "take load off, then calibrate again: the cell may have been bent for good",
    Fault.OFF_CLASS: "compare the cell's label with the node file, and check with an empty board that it isn't bent",
    Fault.BROWN_OUT: "the board's supply breaks down: measure it under load and use a shorter, thicker cable",
    Fault.SHARED_CLOCK: "give each chip an SCK of its own, or read them only when all of them are ready",
    Fault.WARM_UP: "leave it switched on for 15 min before calibrating or teaching, and keep it powered for good",
    Fault.TEMPERATURE: "keep sun, heaters and cold air off the cells, or run `shelfedge calibrate temperature`",
    Fault.CELL_DEAD: "check that the board rests on this cell, and its plug; if it does, change the cell",
    Fault.REVERSED: "swap A+ and A- of this cell or turn it over, or calibrate again: calibration learns the sign",
    Fault.WRONG_GAIN: "set gain and channel in the node file as they were when it was calibrated, or calibrate again",
    Fault.BINDING: "free the board at this corner: look for a screw, a label or a neighbour that carries part of it",
    Fault.UNEVEN: "look for what leans on the board or holds it, then run `shelfedge calibrate BOARD --check`",
    Fault.SWAPPED_BOARDS: "exchange the two boards' plugs, or their names in the node file",
    Fault.WRONG_CALIBRATION: "run `shelfedge calibrate BOARD --check` with a known weight, and calibrate if it fails",
    Fault.NOT_CALIBRATED: "run `shelfedge calibrate BOARD`",
    Fault.OLD_CALIBRATION: "run `shelfedge calibrate BOARD --check` with a known weight",
    Fault.VIBRATION: "look for a compressor or motor on the same rack and put rubber under it",
    Fault.STOCK_DIFFERS: "nothing, if people have bought since; else compare the shelf with the planogram",
    Fault.UNPLUGGED: "plug the MCU in and check its USB cable",
    Fault.MCU_SILENT: "unplug the MCU and plug it in again; if it stays silent, run `shelfedge flash`",
    Fault.LINK_DAMAGE: "change the USB cable and keep it away from motors and mains",
    Fault.LINK_LOSS: "take load off this node, and read fewer chips with one MCU",
    Fault.MCU_RESTARTS: "check the MCU's supply and its USB cable",
    Fault.MCU_FIRMWARE: "run `shelfedge flash` so that the MCU has the firmware of this shelfedge",
    Fault.DRIVER: "do what the driver says, then diagnose again",
    Fault.NO_PICTURES: "look after the camera's cable at both ends and its supply",
    Fault.FROZEN: "the camera hangs: if it doesn't recover, switch the computer off and on",
    Fault.COVERED: "look what hangs before the lens, and clean it",
    Fault.DARK: "switch the light on, or take the cap off the lens",
    Fault.MOVED: "put it back where it looked, or run `shelfedge calibrate camera` and restart the node",
    Fault.FEW_PICTURES: "take load off this machine and look after its cooling, or lower rate_hz or size",
    Fault.LEFT_OUT: "lower rate_hz or size of this camera, or give the node fewer cameras",
    Fault.LATE_PICTURES: "this machine is too busy: lower rate_hz or size of its cameras, or end what else `top` shows",
    Fault.DISBELIEVED: "check where it points, clean it, and run `shelfedge calibrate camera`",
    Fault.MODEL: "correct model and labels of this camera in the node file",
    Fault.NO_TRACKS: "look whether that node runs, sees people and reaches the broker",
    Fault.CONFIG: "correct the files and check them with `shelfedge config check NODE.yaml`",
    Fault.NOT_RUNNING: "start it with `sudo systemctl start shelfedge`, or `shelfedge run NODE.yaml`",
    Fault.NOT_ANSWERING: "see its log (`journalctl -u shelfedge`), then `sudo systemctl restart shelfedge`",
    Fault.RESTART_NEEDED: "restart the node when it suits: `sudo systemctl restart shelfedge`",
    Fault.UNDER_VOLTAGE: "use the Pi's own power supply and a short, thick cable, and take USB load off it",
    Fault.THROTTLED: "give the machine air, a heat sink and its own power supply",
    Fault.HOT: "give the machine air or a heat sink",
    Fault.CLOCK: "check the network and the time server with `timedatectl`",
    Fault.DISK_FULL: "delete something from that disk, or lower recording.size in the node file",
    Fault.DISK_SICK: "remount the disk for writing, or change the card; `dmesg` says which",
    Fault.DISK_SLOW: "change the card for a faster one, or find with `iotop` what writes so much",
    Fault.MEMORY: "find out with `top` which program takes it",
    Fault.OUTBOX: "see to the broker, or raise outbox.size in the node file",
    Fault.BROKER: "check network, address and broker, then diagnose again",
    Fault.CERTIFICATE: "have a new certificate issued and put it where the node file names it",
    Fault.SECRETS: "run `chmod 600` on that file",
    Fault.LATE_LOOP: "find out with `top` what else takes the CPU",
    Fault.PART_FAILED: "mend what it says, then restart the node",
    Fault.RECORDING: "see to the disk of the state folder",
}


def remedy_of(fault: Fault) -> str:
    """What to do about it."""
    return _REMEDIES[fault]
