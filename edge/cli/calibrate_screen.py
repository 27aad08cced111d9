"""What somebody at a board sees while a procedure runs: what to do, where, what the board feels, how far it is.

Nothing is pressed: both hands hold a weight. The eyes are a step or two away, so what to do is one word in large
letters, and its colour says it too: blue hands off, cyan put, yellow wait, green take off, red do it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.placements import BoardSite
from calibration.prompts import Progress, Prompt, Step
from edge.cli.big_digits import ROWS, big
from edge.cli.board_picture import Spot, board_picture
from edge.cli.window import too_small

_BANNERS = {
    Step.CLEAR: "bold white on blue",
    Step.PUT: "bold black on bright_cyan",
    Step.TAKE_OFF: "bold black on green",
    Step.WAIT: "bold black on bright_yellow",
    Step.DONE: "bold black on green",
}
_MISTAKE = "bold white on red"
_WIDE = 100
_LEAST = (60, 18)  # so that no word of what to do is cut
_MOST_DOTS = 12
_LARGE = (64, 22)  # columns and lines from which on there is room for large letters
_HEAD_LINES, _SMALL_HEAD_LINES, _FOOT_LINES = 10, 6, 1
_LYING_SHARE = 0.3  # of what is asked for: less than that isn't waited for


@dataclass(frozen=True, slots=True)
class Words:
    """What a banner says.

    Attributes:
        large: what to do, in a word or two of `edge.cli.big_digits.big`.
        where: the same with its place, where there are no large letters. then: what else there is to it.
        mistake: what went wrong just now.
        waits: hands off, something is being measured.
        remark: what else there is to know.
    """

    large: str
    where: str
    then: str
    mistake: str = ""
    waits: bool = False
    remark: str = ""


class ProcedureScreen:
    """Draws one frame for a terminal of any size from 60 x 18 on; below that it asks for a larger one.

    Args:
        title: of the command, for example "calibrate".
        remark: what Ctrl-C does.

    Attributes:
        words: what the banner says for a prompt, and the newest progress.
    """

    def __init__(self, title: str, site: BoardSite, remark: str) -> None:
        self._title = title
        self._site = site
        self._remark = remark
        self._prompt: Prompt | None = None
        self._progress: Progress | None = None
        self._done: dict[Spot, str] = {}
        self.words: Callable[[Prompt | None, Progress | None], Words] = calibration_words

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
        if small := too_small(columns, lines, _LEAST):
            return Group(*small)
        large = columns >= _LARGE[0] and lines >= _LARGE[1]
        room = lines - (_HEAD_LINES if large else _SMALL_HEAD_LINES) - _FOOT_LINES
        picture = self._picture(columns - (44 if columns >= _WIDE else 36), room)
        beside = self._beside(columns - max((len(line) for line in picture), default=0) - 6)
        table = Table.grid(padding=(0, 2, 0, 2))
        table.add_row(Group(*picture), Group(*beside))
        return Group(*self._head(columns, large), table, Text(self._remark[:columns], "dim", no_wrap=True))

    def _head(self, columns: int, large: bool) -> list[RenderableType]:
        prompt, progress = self._prompt, self._progress
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f" shelfedge {self._title} ", "bold reverse")
        line.append(f"  {self._site.board}  ", "bold")
        if prompt is not None and prompt.number:
            if prompt.of <= _MOST_DOTS:
                line.append(f"{'●' * (prompt.number - 1)}◉{'○' * (prompt.of - prompt.number)}  ", "cyan")
            line.append(f"{prompt.number} of {prompt.of}  ")
        if progress is not None and progress.run_left_s > 0:
            line.append(f"about {_minutes(progress.run_left_s)} left", "dim")
        words = self.words(prompt, progress)
        style = self._style(words)
        thin = style.removeprefix("bold ")
        banner = [("", style)]
        if large:
            banner += [(row, style) for row in big(words.large)]
            banner.append((_sentence(words), thin))
        else:
            banner += [(words.where, style), (words.then, thin)]
        last = words.mistake or words.remark
        banner.append((last and f"{last[0].upper()}{last[1:]}.", style))
        rows = [Text(("   " + text)[:columns].ljust(columns), each, no_wrap=True) for text, each in banner]
        return [line, *rows, Text()]

    def _style(self, words: Words) -> str:
        prompt = self._prompt
        if words.waits:
            return _BANNERS[Step.WAIT]
        if words.mistake:
            return _MISTAKE
        return _BANNERS[Step.CLEAR if prompt is None else prompt.step]

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
        if self._prompt is None or self._prompt.step not in (Step.PUT, Step.WAIT):
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
    first = f"{prompt.mistake or prompt.remark}: " if prompt.mistake or prompt.remark else ""
    return f"{of}{first}{prompt.text}"


def calibration_words(prompt: Prompt | None, progress: Progress | None) -> Words:
    """What the banner says during a calibration or its check."""
    if prompt is None:
        return Words("", "…", "waiting for samples")
    if prompt.step is Step.CLEAR:
        if prompt.mistake or progress is None or not progress.resting:
            return Words("CLEAR", "CLEAR THE BOARD", "Take everything off, then keep your hands off.", prompt.mistake)
        return Words("HANDS OFF", "HANDS OFF", "Is everything off? The empty board is looked at.", prompt.mistake)
    if prompt.step is Step.DONE:
        return Words("DONE", "DONE", prompt.text)
    if prompt.step is Step.WAIT:
        return Words("WAIT", "LEAVE IT ALONE", prompt.text, prompt.mistake)
    if prompt.step is Step.TAKE_OFF:
        return Words("TAKE OFF", "TAKE IT OFF", prompt.text, prompt.mistake)
    weight = weight_text(prompt.weight_g)
    if _is_measured(prompt, progress):
        return Words("WAIT", "HANDS OFF, WAIT", "It lies there and is being weighed.", waits=True)
    if not prompt.place or prompt.x_mm is None:
        return Words(f"PUT {weight}", f"PUT {weight}:  ANYWHERE ON THE BOARD", "then let go", prompt.mistake)
    where = f"{prompt.x_mm:.0f} mm from the left, {prompt.y_mm:.0f} mm from the front, then let go"
    return Words(f"PUT {weight}", f"PUT {weight}:  {prompt.place.upper()}", where, prompt.mistake, remark=prompt.remark)


def _is_measured(prompt: Prompt, progress: Progress | None) -> bool:
    """What was asked for lies there at rest, and isn't known well enough yet."""
    if progress is None or progress.step is not Step.PUT or progress.held <= 0.0:
        return False
    return progress.live_g is None or abs(progress.live_g) > _LYING_SHARE * prompt.weight_g


def _sentence(words: Words) -> str:
    """What large letters leave out: the place, and the rest."""
    _, _, place = words.where.partition(":  ")
    return f"{place}:  {words.then}" if place else words.then


def _spot(prompt: Prompt) -> Spot | None:
    if prompt.x_mm is None or prompt.y_mm is None:
        return None
    return Spot(prompt.x_mm, prompt.y_mm)


def _sign(value: float) -> float:
    return -1.0 if value <= -0.5 else 1.0


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
