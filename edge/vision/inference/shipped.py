"""The model that comes with shelfedge: int8, 16 products of the demo as they are rendered, and its labels.

It keeps the path real; a store puts its own in its place. `hil.train_products` makes it, `hil.products` scores it.
"""

from __future__ import annotations

from pathlib import Path

PRODUCTS = Path(__file__).parent / "models" / "products.tflite"
PRODUCTS_LABELS = PRODUCTS.with_suffix(".txt")
