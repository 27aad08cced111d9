"""Frames to people: what moved before the background, followed as anonymous tracks with places on the floor."""
