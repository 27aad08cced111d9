"""The score as a table on the terminal."""

from __future__ import annotations

from rich.table import Table

from edge.fusion.score import Score
from edge.fusion.score_report import score_rows


def score_table(score: Score, title: str) -> Table:
    """Name, figure and meaning, one row each."""
    table = Table(title=f"{title}: {score.duration_s:.0f} s", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for row in score_rows(score):
        table.add_row(*row)
    return table
