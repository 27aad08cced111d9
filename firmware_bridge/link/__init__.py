"""The host's end of the serial line: finds the port, keeps the link up, tells MCU time as host time, counts losses."""
