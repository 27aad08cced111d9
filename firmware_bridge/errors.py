"""The root of the project's one error tree. It lives on the ground floor because imports only go down."""

from __future__ import annotations


class ShelfedgeError(Exception):
    """Anything shelfedge refuses, with a text that tells a person what to do next.

    Each floor adds its own leaves, and each leaf is also the built-in it resembles (``ValueError``, ``OSError`` ...).
    The command line prints the text alone, without a traceback, and exits with :attr:`exit_code`.
    """

    exit_code: int = 1


class DataLostError(ShelfedgeError):
    """Something was damaged; what is intact has been used and the text says what was lost.

    Example: the end of a trace is missing because the power went while it was recorded.
    """

    exit_code = 3
