"""The rigs: benches that put the whole house through scenes, recordings and (later) real firmware."""
