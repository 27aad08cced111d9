"""Cameras: one contract, a file for each kind, and a watch that tells when a picture can't be trusted."""
