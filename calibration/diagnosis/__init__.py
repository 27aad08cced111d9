"""Named faults out of samples: what is wrong with a cell or a board, how one can tell, and what to do about it."""
