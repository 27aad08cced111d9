"""Samples to events: cleaning, frames, quiet plateaus, hypothesis decoding, confidence, memory."""
