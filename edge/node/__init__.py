"""The supervisor's room: puts drivers, fusion and what follows together on a running node."""
