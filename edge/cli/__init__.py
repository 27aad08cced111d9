"""The `shelfedge` command: one file per command, no logic."""
