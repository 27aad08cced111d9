"""The runtime on a node: from samples to events, and the commands around it."""
