"""What a program shows on a terminal. The kernel hands it on in pieces, some of them after the program has ended."""
import os


def read_rest(master):
    """All that comes until nobody has the other end open any more."""
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # EIO: the other end is closed
            return shown
