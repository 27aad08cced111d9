"""What a shelf MCU and its host say to each other: COBS frames, messages and commands, as PROTOCOL.md tells them."""
