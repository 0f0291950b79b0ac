#!/usr/bin/env python3
"""Finds uses of co_await that GCC 12.2 compiles wrongly.

    tools/lint_coroutines.py [FILE...]      default: every C++ file of src/, agents/, bench/ and tests/

Allowed are
    co_await call;
    auto name = co_await call;      const auto [a, b] = co_await call;      name = co_await call;
    co_return co_await call;
where `call` is a chain of names, calls and subscripts, or several of them in parentheses with && or || between
them, and its arguments hold no brace-initialised aggregate, no constructor call of one of our types and no capturing
lambda: those are named first.
"""
import bisect
import dataclasses
import pathlib
import re
import sys

TOKEN = re.compile(
    r"""
      (?P<skip>\s+|//(?:\\\n|[^\n])*|/\*.*?\*/|^[ \t]*\#(?:\\\n|[^\n])*)
    | (?P<raw>(?:u8|[uUL])?R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)")
    | (?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<char>(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
    | (?P<number>\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>->\*?|::|\[\[|\]\]|\.\.\.|<<=|<=>|<<|[-+*/%&|^=!<>]=|&&|\|\||\+\+|--|.)
    """,
    re.S | re.M | re.X,
)
OPENERS = {"(": ")", "[": "]", "{": "}", "[[": "]]"}
CLOSERS = {close: opening for opening, close in OPENERS.items()}
NOT_A_CALL = "co_await must be a statement of its own, initialise a named local, or follow co_return"
OPERAND = "co_await's operand must be one call; put the rest into the next statement"
TEMPORARY = "name the aggregate before awaiting, it is a temporary here"
LAMBDA = "name the capturing lambda before awaiting, it is a temporary here"

# Types with constructors of their own, which survive as braced temporaries.
SAFE_BRACED = {"string", "string_view", "error_code", "milliseconds", "seconds", "minutes", "hours",
               "nanoseconds", "microseconds"}
# Ours that may not stand there as `Name(...)`. The strong ids (SessionId) may, they have a constructor: of one value.
TYPE_NAME = re.compile(r"[A-Z]\w*(?<!Id)$")


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int


def tokenize(source):
    tokens, at = [], 0
    while at < len(source):
        found = TOKEN.match(source, at)
        kind = found.lastgroup if found.lastgroup != "tag" else "raw"
        if kind != "skip":
            tokens.append(Token(kind, found.group(), at))
        at = found.end()
    return list(split_attributes(tokens))


def split_attributes(tokens):
    """`a[b[1]]` ends in two brackets, not in an attribute's end."""
    depth = 0
    for token in tokens:
        if token.text == "[[":
            depth += 1
            yield token
        elif token.text == "]]" and depth == 0:
            yield Token("mark", "]", token.at)
            yield Token("mark", "]", token.at + 1)
        else:
            depth -= token.text == "]]"
            yield token


class Code:
    """The tokens of one file with the partner of every bracket."""

    def __init__(self, source):
        self.tokens = tokenize(source)
        self.partner = {}
        self.parent = []  # index of the innermost bracket around each token, or None
        stack = []
        for index, token in enumerate(self.tokens):
            self.parent.append(stack[-1] if stack else None)
            if token.kind != "mark":
                continue
            if token.text in OPENERS:
                stack.append(index)
            elif token.text in CLOSERS:
                while stack and self.tokens[stack[-1]].text != CLOSERS[token.text]:
                    stack.pop()
                if stack:
                    opening = stack.pop()
                    self.partner[opening] = index
                    self.partner[index] = opening
        self.starts = [match.start() for match in re.finditer(r"^", source, re.M)]

    def text(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def line(self, index):
        return bisect.bisect_right(self.starts, self.tokens[index].at)

    def opens_block(self, brace):
        """Is this `{` the beginning of statements rather than of an initialiser?"""
        before = brace - 1
        word = self.text(before)
        if word in ("", ";", "{", "}", ")", ":", "else", "do", "try", "const", "noexcept", "mutable",
                    "override", "final"):
            return True
        if word == "]":
            return self.is_lambda(self.partner.get(before, before))
        # A return type: `-> Task<Result<int>> {`.
        while before >= 0 and (self.tokens[before].kind == "name" or self.text(before) in
                               ("::", "<", ">", ",", "*", "&", "...")):
            before -= 1
        return self.text(before) == "->"

    def is_type(self, index):
        """Does a type of ours end here: `Options`, `Holder<int>`?"""
        if self.text(index) == ">":
            depth = 0
            while index >= 0:
                depth += (self.text(index) == ">") - (self.text(index) == "<")
                index -= 1
                if depth == 0:
                    break
        return index >= 0 and self.tokens[index].kind == "name" and bool(TYPE_NAME.match(self.text(index)))

    def is_lambda(self, bracket):
        before = self.tokens[bracket - 1] if bracket else None
        return not (before and (before.kind in ("name", "text") and before.text not in
                                ("return", "co_return", "co_await") or before.text in (")", "]")))

    def statement_start(self, index):
        """First token of the statement around `index`; None inside parentheses or an initialiser."""
        around = self.parent[index]
        if around is not None and not (self.text(around) == "{" and self.opens_block(around)):
            return None
        first = 0 if around is None else around + 1
        index -= 1
        while index >= first:
            text = self.text(index)
            if text == ";":
                return index + 1
            if text in CLOSERS and self.tokens[index].kind == "mark":
                # The end of a block ends a statement, the end of an initialiser does not.
                opening = self.partner.get(index, index)
                if text == "}" and self.opens_block(opening):
                    return index + 1
                index = opening
            index -= 1
        return first

    def skip_headers(self, start, end):
        """Steps over `if (...)`, `else`, `case x:`, labels and attributes before a statement."""
        while start < end:
            text = self.text(start)
            if text in ("else", "do"):
                start += 1
            elif text in ("if", "for", "while", "switch"):
                start += 1
                if self.text(start) == "constexpr":
                    start += 1
                start = self.partner.get(start, end) + 1
            elif text == "[[":
                start = self.partner.get(start, end) + 1
            elif text == "case" or text == "default":
                while start < end and self.text(start) != ":":
                    start += 1
                start += 1
            else:
                return start
        return start


PREFIX_NAME = re.compile(r"\w+(?:(?:\.|->)\w+)*$")
DECLARATION = re.compile(r"(?:\w+ )*(?:\w+(?:::\w+)*)(?:<.*>)?(?: const)?[ &*]* \w+$|"
                         r"(?:const )?auto[ &]*\[\w+(?:,\w+)*\]$")


def prefix_allowed(code, start, end):
    """Is what stands before co_await one of the allowed beginnings?"""
    tokens = code.tokens[start:end]
    if not tokens:
        return True
    if len(tokens) == 1 and tokens[0].text == "co_return":
        return True
    if tokens[-1].text != "=":
        return False
    words, previous = "", ""
    for token in tokens[:-1]:
        wordy = token.kind in ("name", "number")
        words += (" " if wordy and previous == "word" or previous == "end" and wordy else "") + token.text
        previous = "word" if wordy else "end" if token.text in (">", "&", "*") else "mark"
    return bool(PREFIX_NAME.match(words) or DECLARATION.match(words))


def operand_problem(code, index):
    """Walks the operand behind co_await up to the statement's end; a message, or None."""
    index += 1
    while code.text(index) in ("*", "&"):
        index += 1
    if code.text(index) != "(":
        return call_problem(code, index, (";",))
    end = code.partner.get(index, len(code.tokens))
    if code.text(index + 1) == "*" and code.text(end + 1) in ("->", "."):  # (*connected)->read()
        return call_problem(code, index + 2, (")",)) or call_problem(code, end + 1, (";",))
    # Else calls stand there that are awaited together.
    while index < end:
        problem = call_problem(code, index + 1, ("&&", "||", ")"))
        if problem:
            return problem
        index = next_of(code, index + 1, ("&&", "||", ")"))
    return None if code.text(end + 1) == ";" else OPERAND


def next_of(code, index, marks):
    """Index of the first of the marks that stands in no brackets."""
    while index < len(code.tokens) and code.text(index) not in marks:
        index = code.partner[index] + 1 if code.text(index) in OPENERS and index in code.partner else index + 1
    return index


def call_problem(code, index, ends):
    """Walks a call up to one of the marks behind it; a message, or None."""
    while index < len(code.tokens):
        token = code.tokens[index]
        if token.text in ends and token.kind == "mark":
            return None
        if token.kind == "mark" and token.text in ("(", "["):
            problem = argument_problem(code, index)
            if problem:
                return problem
            index = code.partner.get(index, len(code.tokens)) + 1
        elif token.kind == "mark" and token.text == "{":
            return TEMPORARY
        elif token.text == "<":
            end = template_end(code, index)
            if end is None:
                return OPERAND
            index = end + 1
        elif token.kind == "name" or token.text in ("::", ".", "->"):
            index += 1
        else:
            return OPERAND
    return None


def template_end(code, index):
    """Index of the `>` that closes a template argument list; None when `<` is a comparison."""
    depth = 0
    while index < len(code.tokens):
        token = code.tokens[index]
        if token.text == "<":
            depth += 1
        elif token.text == ">":
            depth -= 1
            if depth == 0:
                return index if code.text(index + 1) in ("(", "::", "{", ";", ".") else None
        elif token.text == "(":
            index = code.partner.get(index, index)
        elif token.kind == "mark" and token.text not in ("::", ",", "*", "&", "..."):
            return None
        index += 1
    return None


def argument_problem(code, opening):
    """Temporaries between the brackets of a call that is awaited."""
    end = code.partner.get(opening, len(code.tokens))
    index = opening + 1
    while index < end:
        token, before = code.tokens[index], code.tokens[index - 1]
        if token.kind == "mark" and token.text == "[" and code.is_lambda(index):
            close = code.partner.get(index, end)
            if close > index + 1:
                return LAMBDA
            index = lambda_end(code, close, end)
            continue
        if token.kind == "mark" and token.text == "{":
            braced = before.text
            if before.text == ">":
                braced = "a template"
            one = not has_comma(code, index)
            if braced not in SAFE_BRACED and not (braced.endswith("Id") and one):
                return TEMPORARY
        if token.text == "(" and (code.is_type(index - 1) or before.text.endswith("Id") and has_comma(code, index)):
            return TEMPORARY
        index += 1
    return None


def has_comma(code, opening):
    """Does a comma stand between these brackets themselves?"""
    end = code.partner.get(opening, len(code.tokens))
    return any(code.parent[index] == opening and code.text(index) == "," for index in range(opening + 1, end))


def lambda_end(code, close, end):
    """Index behind the body of a lambda whose capture list ends at `close`."""
    index = close + 1
    while index < end and code.text(index) != "{":
        index = code.partner.get(index, index) + 1 if code.text(index) == "(" else index + 1
    return code.partner.get(index, end) + 1


def check(source):
    """(line, message) for every co_await that is not in an allowed form."""
    code = Code(source)
    for index, token in enumerate(code.tokens):
        if token.kind != "name" or token.text != "co_await":
            continue
        start = code.statement_start(index)
        if start is None or not prefix_allowed(code, code.skip_headers(start, index), index):
            yield code.line(index), NOT_A_CALL
            continue
        problem = operand_problem(code, index)
        if problem:
            yield code.line(index), problem


def default_files():
    root = pathlib.Path(__file__).resolve().parent.parent
    for folder in ("src", "agents", "bench", "tests"):
        yield from sorted((root / folder).rglob("*.[ch]pp"))


def main(arguments):
    files = [pathlib.Path(argument) for argument in arguments] or list(default_files())
    failed = False
    for path in files:
        for line, message in check(path.read_text("utf-8")):
            print(f"{path}:{line}: {message}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
