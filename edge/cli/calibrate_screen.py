"""What somebody at a board sees while a procedure runs: what to do, where, what the board feels, how far it is.

Nothing is pressed: both hands hold a weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.placements import BoardSite
from calibration.prompts import Progress, Prompt, Step
from edge.cli.big_digits import ROWS, big
from edge.cli.board_picture import Spot, board_picture

_BANNERS = {
    Step.CLEAR: "bold white on blue",
    Step.PUT: "bold black on bright_cyan",
    Step.TAKE_OFF: "bold white on green",
    Step.DONE: "bold white on green",
}
_WIDE = 100
_HEAD_LINES, _FOOT_LINES = 6, 1


class ProcedureScreen:
    """Draws one frame for a terminal of any size from 60 x 18 on.

    Args:
        title: of the command, for example "calibrate".
        remark: what Ctrl-C does.

    Attributes:
        words: the banner's two lines for a prompt.
    """

    def __init__(self, title: str, site: BoardSite, remark: str) -> None:
        self._title = title
        self._site = site
        self._remark = remark
        self._prompt: Prompt | None = None
        self._progress: Progress | None = None
        self._done: dict[Spot, str] = {}
        self.words: Callable[[Prompt | None], tuple[str, str]] = calibration_words

    def tell(self, said: Prompt | Progress) -> None:
        """Take in what the procedure says."""
        if isinstance(said, Progress):
            self._progress = said
            return
        if said.step is Step.TAKE_OFF and not said.mistake and self._prompt is not None:
            place = _spot(self._prompt)
            if place is not None:
                self._done[place] = self._prompt.place
        self._prompt = said

    def frame(self, columns: int, lines: int) -> RenderableType:
        """The whole screen."""
        room = lines - _HEAD_LINES - _FOOT_LINES
        picture = self._picture(columns - (44 if columns >= _WIDE else 36), room)
        beside = self._beside(columns - max((len(line) for line in picture), default=0) - 6)
        table = Table.grid(padding=(0, 2, 0, 2))
        table.add_row(Group(*picture), Group(*beside))
        return Group(*self._head(columns), table, Text(self._remark[:columns], "dim", no_wrap=True))

    def _head(self, columns: int) -> list[RenderableType]:
        prompt, progress = self._prompt, self._progress
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f" shelfedge {self._title} ", "bold reverse")
        line.append(f"  {self._site.board}  ", "bold")
        if prompt is not None and prompt.number:
            line.append(f"{'●' * (prompt.number - 1)}◉{'○' * (prompt.of - prompt.number)}  ", "cyan")
            line.append(f"{prompt.number} of {prompt.of}  ")
        if progress is not None and progress.run_left_s > 0:
            line.append(f"about {_minutes(progress.run_left_s)} left", "dim")
        style = "bold white on red" if prompt is not None and prompt.mistake else "bold white on blue"
        if prompt is not None and not prompt.mistake:
            style = _BANNERS[prompt.step]
        first, second = self.words(prompt)
        return [
            line,
            Text(" " * columns, style),
            Text(("   " + first)[:columns].ljust(columns), style, no_wrap=True),
            Text(("   " + second)[:columns].ljust(columns), style.removeprefix("bold "), no_wrap=True),
            Text(" " * columns, style),
            Text(),
        ]

    def _picture(self, columns: int, lines: int) -> list[Text]:
        prompt = self._prompt
        target = _spot(prompt) if prompt is not None and prompt.step is Step.PUT else None
        label = "" if prompt is None else weight_text(prompt.weight_g).replace(" ", "")
        cells = [Spot(cell.x_mm, cell.y_mm) for cell in self._site.cells]
        return board_picture(self._site.width_mm, self._site.depth_mm, cells, self._done, target, label, columns, lines)

    def _beside(self, columns: int) -> Sequence[RenderableType]:
        """The weight, rest, and how much of it has passed."""
        progress = self._progress
        if progress is None:
            return [Text("no samples yet", "dim")]
        digits = big("" if progress.live_g is None else f"{abs(progress.live_g) * _sign(progress.live_g):.0f} g")
        if max(map(len, digits)) > columns:
            digits = big(f"{progress.live_g or 0.0:.0f}")
        found: list[RenderableType] = [Text(row[:columns], "bold cyan", no_wrap=True) for row in digits]
        if progress.live_g is None:
            found = [Text() for _ in range(ROWS)]
        state = Text("○ at rest", "bold green") if progress.resting else Text("● moving", "bold yellow")
        found += [Text(), state, self._bar(progress, columns)]
        if progress.warming_counts_per_s is not None:
            drift = abs(progress.warming_counts_per_s) * 60
            found.append(Text(f"drift {drift:.0f} counts/min"[:columns], "dim"))
        if progress.seconds_left < 30:
            found.append(Text(f"{progress.seconds_left:.0f} s left for this"[:columns], "yellow"))
        return found

    def _bar(self, progress: Progress, columns: int) -> Text:
        """Grows while the weight rests: hands off until it is full."""
        if self._prompt is None or self._prompt.step is not Step.PUT:
            return Text()
        width = max(min(columns, 24), 4)
        full = round(progress.held * width)
        bar = Text("━" * full, "bold green", no_wrap=True)
        bar.append("━" * (width - full), "bright_black")
        return bar


def weight_text(grams: float) -> str:
    """``500 g``, ``2 kg``, as it stands on a weight."""
    return f"{grams / 1000:g} kg" if grams >= 1000 else f"{grams:g} g"


def plain_line(prompt: Prompt) -> str:
    """A prompt as a line for logs and pipes."""
    of = f"{prompt.number}/{prompt.of}  " if prompt.number else ""
    mistake = f"{prompt.mistake}: " if prompt.mistake else ""
    return f"{of}{mistake}{prompt.text}"


def calibration_words(prompt: Prompt | None) -> tuple[str, str]:
    """The banner's two lines."""
    if prompt is None:
        return "…", "waiting for samples"
    if prompt.step is Step.PUT and prompt.place:
        first = f"PUT {weight_text(prompt.weight_g)}:  {prompt.place.upper()}"
        second = f"{prompt.x_mm:.0f} mm from the left, {prompt.y_mm:.0f} mm from the front; let go and wait"
    else:
        first, second = prompt.step.upper(), prompt.text
    return first, f"{prompt.mistake}. {second}" if prompt.mistake else second


def _spot(prompt: Prompt) -> Spot | None:
    if prompt.x_mm is None or prompt.y_mm is None:
        return None
    return Spot(prompt.x_mm, prompt.y_mm)


def _sign(value: float) -> float:
    return -1.0 if value <= -0.5 else 1.0


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
