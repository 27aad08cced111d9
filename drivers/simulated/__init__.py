"""Shelf boards that aren't there: plates, load cells, converters and shoppers, with physics and the truth."""
