"""How events leave: their forms on the wire and for people."""
