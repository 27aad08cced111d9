"""The HX711 converter: its pin-level model with faults, one reading of it, and the judgement of many."""
