"""The node file and the planogram: schema, loading, and errors that name file and line."""
