"""Random JSON texts as nobody's library writes them: odd spellings, big numbers, escapes, unknown fields."""
import random


class RandomJson:
    def __init__(self, seed, session):
        """`session` stands here and there as a whole string, and within longer ones."""
        self.random = random.Random(seed)
        self.session = session

    def space(self):
        return self.random.choice(["", "", "", "", " ", "\t", "  "])

    def string(self):
        return self.random.choice([
            '""', '"a"', '"\\""', '"\\\\"', '"\\u00e4\\/\\b\\f"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"ä"', '"\U0001f600"',
            '"\u2028\u2029"', '"\x7f"', '"}],{"', '"id"', '"1"', '"\\u0073essionId"', '"$"',
            f'"{self.session}"', f'"see {self.session}"', f'"{self.session} "'])

    def key(self, number):
        return '"%s%d"' % (self.random.choice(["x", "_meta", "ä", "unknownField", "", "$", "i\\u0064"]), number)

    def number(self):
        return self.random.choice(["0", "-0", "1", "-17", "9007199254740993", "9223372036854775808", "-0.50", "1.0",
                                   "123456789012345678901234567890", "1e5", "1E+10", "2.5e-3", "1e400", "0.10000"])

    def value(self, depth=4):
        kind = self.random.randrange(7 if depth else 3)
        if kind == 0:
            return self.string()
        if kind == 1:
            return self.number()
        if kind == 2:
            return self.random.choice(["null", "true", "false"])
        if kind == 3:
            return "[" + self.members(lambda number: self.value(depth - 1)) + "]"
        return self.object(depth - 1)

    def members(self, one):
        count = self.random.randrange(5)
        return self.space() + ",".join(self.space() + one(number) + self.space() for number in range(count))

    def object(self, depth=4, *fields):
        """An object with these fields, as text, among others."""
        own = [self.key(number) + self.space() + ":" + self.space() + self.value(max(depth, 0))
               for number in range(self.random.randrange(5))]
        own.extend(fields)
        self.random.shuffle(own)
        return "{" + ",".join(self.space() + field + self.space() for field in own) + "}"

    def message(self, *fields):
        """A message whose members come in any order, with any spaces."""
        own = ['"jsonrpc":"2.0"', *fields]
        self.random.shuffle(own)
        return "{" + ",".join(self.space() + field + self.space() for field in own) + "}"
