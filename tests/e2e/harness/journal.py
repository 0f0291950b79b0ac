"""The messages of a relay's database, read from its files as they are: src/storage/journal_codec.hpp."""
import collections
import pathlib

HEAD = 8
ERASED = 0x80000000

Message = collections.namedtuple("Message", "session sequence origin kind to_client method rpc_id call peer_id time body")


class Reader:
    def __init__(self, content):
        self.content, self.at = content, 0

    def byte(self):
        self.at += 1
        return self.content[self.at - 1]

    def number(self):
        value = shift = 0
        while (part := self.byte()) >= 0x80:
            value |= (part & 0x7F) << shift
            shift += 7
        return value | part << shift

    def text(self):
        size = self.number()
        self.at += size
        return self.content[self.at - size:self.at].decode("utf-8", "replace")

    def at_end(self):
        return self.at >= len(self.content)


def messages_of(entries, session, first, last):
    """Of whole entries that lie side by side; `session` is the number of the row."""
    at = 0
    while at < len(entries):
        length = int.from_bytes(entries[at:at + 4], "little")
        payload = Reader(entries[at + HEAD:at + HEAD + (length & ~ERASED)])
        at += HEAD + (length & ~ERASED)
        if length & ERASED:
            continue
        payload.at = 9  # its kind and its order
        payload.text()
        for _ in range(5):
            payload.number()
        sequence = payload.number()
        while not payload.at_end():
            flags = payload.byte()
            one = Message(session, sequence, flags & 3, flags >> 2 & 3, flags >> 4 & 1, payload.text(), payload.text(),
                          payload.number(), payload.text(), payload.number(), payload.text())
            if first <= sequence <= last:
                yield one
            sequence += 1


def extents(packed):
    reader, end = Reader(packed), 0
    while not reader.at_end():
        begin = end + reader.number()
        end = begin + reader.number()
        yield begin, end


def messages(connection, database):
    """All of them, in the order of their arrival."""
    runs = connection.execute("SELECT session, first, last, segment, entries FROM runs ORDER BY number")
    for session, first, last, segment, entries in runs.fetchall():
        if segment == 0:
            yield from messages_of(entries, session, first, last)
            continue
        content = pathlib.Path(f"{database}.journal.{segment}").read_bytes()
        for begin, end in extents(entries):
            yield from messages_of(content[begin:end], session, first, last)


def add_messages(connection, database):
    """A table `messages` for this connection alone."""
    connection.execute(f"CREATE TEMP TABLE messages ({', '.join(Message._fields)})")
    connection.executemany(f"INSERT INTO temp.messages VALUES ({', '.join('?' * len(Message._fields))})",
                           messages(connection, database))
