"""Traces: record, read, import, export, recover, cut and plot what the sensors said."""
