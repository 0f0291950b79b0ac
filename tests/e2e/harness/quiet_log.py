"""What must not be in a relay's log."""


def never_logged(relay, *words):
    """Ends the relay first: its log is written by a thread of its own, soon after what it tells of."""
    relay.stop()
    for word in words:
        assert word not in relay.log_text(), f"{word!r} is in the log"
