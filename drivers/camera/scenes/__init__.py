"""Rendered shelf and ceiling scenes with their truth, and the ways a camera spoils them."""
