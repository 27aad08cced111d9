"""A small correct setup as texts, to break in one place or many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

NODE = """\
node: bay-1
planogram: planogram.yaml
boards:
  shelf-1:
    width: 900 mm
    depth: 40 cm
    rate: 80 Hz
    driver: simulated
    cells:
      fl: {x: 30 mm, y: 30 mm, capacity: 10 kg}
      fr: {x: 870 mm, y: 30 mm}
"""
PLANOGRAM = """\
skus:
  cola-033: {name: "Cola 0.33 l", weight: 352 g, spread: 2 g}
  "4001724819806": {name: Pizza, weight: 0.41 kg}
slots:
  A1: {board: shelf-1, sku: cola-033, x: [0 mm, 110 mm], y: [0 mm, 400 mm], count: 6}
  A2: {board: shelf-1, sku: 4001724819806, x: [110 mm, 90 cm], count: 0}
"""

Write = Callable[..., Path]
"""The fixture ``write``: takes the files' contents, gives the node file's path."""
