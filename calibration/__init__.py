"""Counts to grams: the calibration model and its record."""
