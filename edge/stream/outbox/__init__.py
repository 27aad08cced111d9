"""What the node has to say, kept on the disk until it is delivered: survives power cuts, has an end, mends itself."""
