#!/usr/bin/env python3
"""mutate.py FILE SEED COUNT: prints COUNT variations of the cases of a case file as JSON lines, without `expect`.

Each is one case of the file with a few things changed, in the app's text and in its steps: other windows, numbers,
times, operators, aggregators and joins, clauses added and taken away, attributes of other types, a query in a partition
or out of it, a further query behind; nulls, batches, other gaps, steps that come twice, late or not at all. Some
variations must be refused: that is compared too. The same arguments give the same cases."""
import copy
import json
import re
import sys

import queries
from basics import DURATIONS, GAPS, NUMERIC, Gen, Stream

AGGREGATORS = ["sum", "avg", "min", "max", "stdDev", "minForever", "maxForever", "distinctCount"]
OPERATORS = ["<", "<=", ">", ">=", "==", "!="]
UNITS = r"(?:milliseconds?|millisec|sec(?:onds?)?|min(?:utes?)?|hours?)"
KEYWORDS = r"(?i:\b(?:select|insert|output|group\s+by|having|order\s+by|limit|offset|delete|update|return|on|within|join|" \
           r"inner|left|right|full|unidirectional|as)\b)"


def closing(text, start):
    """Index behind the bracket that closes the one at start."""
    depth, quote = 0, None
    for i in range(start, len(text)):
        c = text[i]
        if quote:
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


def split(text, mark=","):
    """Parts of text between the marks that stand in no bracket."""
    parts, depth, quote, start = [], 0, None, 0
    for i, c in enumerate(text):
        if quote:
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == mark and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


class Query:
    """One query's text, cut in pieces that can be put back together."""

    CLAUSES = ["select", "group by", "having", "order by", "limit", "offset", "output"]
    CUT = re.compile(r"(?i)\b(select|group\s+by|having|order\s+by|limit|offset|output\s+(?=all|first|last|snapshot|every)|"
                     r"insert|delete|update)\b")

    def __init__(self, text):
        self.before = {}
        marks, depth = [], 0
        quote = None
        for i, c in enumerate(text):
            if quote:
                quote = None if c == quote else quote
                continue
            if c in "'\"":
                quote = c
            elif c in "([{":
                depth += 1
            elif c in ")]}":
                depth -= 1
            elif depth == 0 and (i == 0 or not (text[i - 1].isalnum() or text[i - 1] in "_.`:#")):
                m = self.CUT.match(text, i)
                if m:
                    word = re.sub(r"\s+", " ", m.group(1).strip().lower())
                    if marks and marks[-1][0] in ("insert", "delete", "update"):
                        continue
                    marks.append((word, i, m.end()))
        self.head = text[: marks[0][1]] if marks else text
        self.parts = {}
        self.end = ""
        for n, (word, start, stop) in enumerate(marks):
            until = marks[n + 1][1] if n + 1 < len(marks) else len(text)
            if word in ("insert", "delete", "update"):
                self.end = text[start:until]
            else:
                self.parts[word] = text[stop:until].strip()

    def text(self):
        out = [self.head.rstrip()]
        for word in self.CLAUSES:
            if word in self.parts:
                out.append(f"{word} {self.parts[word]}")
        return "\n".join(out + [self.end])

    def outputs(self):
        """[(name, expression)] of the select clause."""
        text = self.parts.get("select", "")
        found = []
        for item in split(text):
            m = re.match(r"(?is)^(.*?)\s+as\s+`?(\w+)`?\s*$", item.strip())
            if m:
                found.append((m.group(2), m.group(1)))
            elif re.match(r"^[\w.`\[\]-]+$", item.strip()):
                found.append((item.strip().split(".")[-1].strip("`"), item.strip()))
        return found

    def source(self):
        m = re.match(r"(?is)^.*?\bfrom\s+`?([#!]?\w+)`?", self.head)
        return m.group(1) if m else None

    def simple(self):
        """Reads one stream?"""
        return not re.search(r"(?i)->|\bjoin\b|\bevery\b|\bnot\b[^\[]*\bfor\b|\w\s*=\s*\w", re.sub(r"\[[^\]]*\]|\([^)]*\)|@\w+", "", self.head)) and \
            "," not in re.sub(r"\[[^\]]*\]|\([^)]*\)", "", self.head)


class Mutant:
    def __init__(self, case, g):
        self.g = g
        self.app = re.sub(r"(?m)--.*$|/\*.*?\*/", "", case["app"])
        self.steps = copy.deepcopy(case["steps"])
        self.case = case
        self.types = case.get("expect", {}).get("types", {})
        self.done = []

    # ---- what there is ----

    def definitions(self):
        found = {}
        for m in re.finditer(r"(?is)\bdefine\s+(?:stream|table|window)\s+`?(\w+)`?\s*\(([^)]*)\)", self.app):
            attributes = re.findall(r"`?(\w+)`?\s+(\w+)", m.group(2))
            found[m.group(1)] = Stream(m.group(1), [(n, t.lower()) for n, t in attributes])
        for text in self.pieces():
            q = Query(text)
            m = re.search(r"(?i)\binto\s+`?(\w+)", q.end)
            names = [n for n, _ in q.outputs()]
            if m and m.group(1) not in found and len(self.types.get(m.group(1), [])) == len(names):
                found[m.group(1)] = Stream(m.group(1), list(zip(names, self.types.get(m.group(1), []))))
        return found

    def pieces(self):
        """The app's statements; partition heads and ends stay with their neighbours."""
        return split(self.app, ";")

    def each_query(self, fit=lambda q: True):
        """(index, Query) of a random query that fits."""
        pieces = self.pieces()
        fitting = [i for i, p in enumerate(pieces) if re.search(r"(?i)\bfrom\b", p) and
                   not re.search(r"(?i)\bdefine\s+aggregation", p) and fit(Query(p))]
        if not fitting:
            return None, None
        i = self.g.pick(fitting)
        return i, Query(pieces[i])

    def put(self, i, text):
        pieces = self.pieces()
        pieces[i] = text
        self.app = ";".join(pieces)
        return True

    def again(self, pattern, change):
        """Replaces one random match of pattern in the app by change(match)."""
        quoted = [m.span() for m in re.finditer(r"'[^']*'|\"[^\"]*\"", self.app)]
        found = [m for m in re.finditer(pattern, self.app) if m.group().startswith(("'", '"', "@")) or
                 not any(a < m.start() < b for a, b in quoted)]
        if not found:
            return False
        m = self.g.pick(found)
        new = change(m)
        if new is None or new == m.group():
            return False
        self.app = self.app[: m.start()] + new + self.app[m.end():]
        return True

    # ---- the app ----

    def window(self):
        defs = self.definitions()
        found = [m for m in re.finditer(r"#window\.\w+\s*\(", self.app)]
        if not found:
            return False
        m = self.g.pick(found)
        stop = closing(self.app, m.end() - 1)
        head = re.sub(r"\[[^\]]*\]", "", self.app[: m.start()])
        name = re.search(r"(\w+)`?\s*$", head)
        stream = defs.get(name.group(1)) if name else None
        if not stream or self.g.chance(0.1):
            stream = stream or Stream("S", [])
        new = queries.window(self.g, stream, queries.ALL)
        self.app = self.app[: m.start()] + "#window." + new + self.app[stop:]
        return True

    def add_window(self):
        defs = self.definitions()
        i, q = self.each_query(lambda q: q.simple() and "#window" not in q.head and q.source() in defs)
        if q is None:
            return False
        q.head = q.head.rstrip() + "#window." + queries.window(self.g, defs[q.source()], queries.ALL) + "\n"
        return self.put(i, q.text())

    def drop_window(self):
        found = [m for m in re.finditer(r"#window\.\w+\s*\(", self.app)]
        if not found:
            return False
        m = self.g.pick(found)
        self.app = self.app[: m.start()] + self.app[closing(self.app, m.end() - 1):]
        return True

    def defined_window(self):
        defs = self.definitions()
        found = list(re.finditer(r"(?is)(\bdefine\s+window\s+`?(\w+)`?\s*\([^)]*\)\s*)(\w+)\s*\(", self.app))
        if not found:
            return False
        m = self.g.pick(found)
        stop = closing(self.app, m.end() - 1)
        rest = self.app[stop:]
        kind = re.match(r"(?i)\s*output\s+\w+\s+events", rest)
        tail = rest[kind.end():] if kind else rest
        out = self.g.pick(["", " output all events", " output current events", " output expired events"])
        call = self.app[m.start(3): stop]
        if self.g.chance(0.7):
            names = [n for n in queries.ALL if n != "session"]
            call = queries.window(self.g, defs[m.group(2)], names)
        self.app = self.app[: m.start()] + m.group(1) + call + out + tail
        return True

    def number(self):
        return self.again(r"(?<![\w.'\"])\d+(?![\w.'\"])(?!\s*(?i:" + UNITS + "))",
                          lambda m: str(self.g.pick([0, 1, 1, 2, 2, 3, 4, 5, 7, int(m.group()) + 1, max(0, int(m.group()) - 1)])))

    def duration(self):
        return self.again(r"(?i)\b\d+\s*" + UNITS + r"(?:\s+\d+\s*" + UNITS + ")*",
                          lambda m: self.g.pick([d for d in DURATIONS if " " in d] + ["250 milliseconds", "4 sec"]))

    def operator(self):
        return self.again(r"(?<![-<>=!])(?:[<>]=?|[=!]=)(?![<>=\d:]*>)", lambda m: self.g.pick(OPERATORS))

    def arithmetic(self):
        return self.again(r"(?<=\s)[-+*/%](?=\s)", lambda m: self.g.pick("+-*/%"))

    def logic(self):
        return self.again(r"(?i)\b(?:and|or)\b", lambda m: "or" if m.group().lower() == "and" else "and")

    def aggregator(self):
        return self.again(r"\b(?:" + "|".join(AGGREGATORS) + r")(?=\()", lambda m: self.g.pick(AGGREGATORS))

    def literal(self):
        return self.again(r"(?<![\w.'\"-])\d+(?:\.\d+)?[fFdDlL]?(?![\w.'\"])(?!\s*(?i:" + UNITS + "))",
                          lambda m: self.g.pick(["1", "2L", "3.5f", "2.5", "0", "-1", "4", "1e1", "0L", "0.0"]))

    def kinds(self):
        return self.again(r"(?i)\binsert\s+(?:(?:all|expired|current)\s+events\s+)?into\b",
                          lambda m: f"insert {self.g.pick(['', 'all events ', 'all events ', 'expired events ', 'current events '])}into")

    def rate(self):
        i, q = self.each_query(lambda q: q.end.lower().startswith("insert"))
        if q is None:
            return False
        if "output" in q.parts and self.g.chance(0.3):
            del q.parts["output"]
        else:
            text = queries.rate(self.g)
            if re.search(r"->|(?i:\bfrom\s+every\b|\bfor\s+\d)|\w\s*=\s*\w+[^=]*,", q.head):
                text = re.sub(r"output (?:all |last |snapshot )?every", "output first every", text)
            q.parts["output"] = text[len("output "):]
            if "snapshot" in text:
                q.end = re.sub(r"(?i)insert\s+(?:\w+\s+events\s+)?into", self.g.pick(["insert into", "insert all events into"]), q.end)
        return self.put(i, q.text())

    def group(self):
        defs = self.definitions()
        i, q = self.each_query(lambda q: "select" in q.parts)
        if q is None:
            return False
        if "group by" in q.parts and self.g.chance(0.35):
            del q.parts["group by"]
            return self.put(i, q.text())
        if q.simple() and q.source() in defs:
            names = [n for n, _ in defs[q.source()].attributes]
        else:
            names = [e for _, e in q.outputs() if re.match(r"^\w+\.\w+$", e)]
        if not names:
            return False
        q.parts["group by"] = ", ".join(self.g.r.sample(names, min(len(names), self.g.pick([1, 1, 2]))))
        return self.put(i, q.text())

    def typed(self, q):
        """Output names with their types, as far as the given case tells them."""
        m = re.search(r"(?i)\binto\s+`?(\w+)", q.end)
        names = [n for n, _ in q.outputs()]
        kinds = self.types.get(m.group(1), []) if m else []
        return list(zip(names, kinds)) if len(kinds) == len(names) else [(n, "int") for n in names]

    def clause(self):
        i, q = self.each_query(lambda q: "select" in q.parts)
        if q is None:
            return False
        word = self.g.pick(["having", "order by", "order by", "limit", "offset"])
        out = self.typed(q)
        if word in q.parts and self.g.chance(0.4):
            del q.parts[word]
        elif word == "having":
            made = queries.having_condition(self.g, [(n, t, n) for n, t in out]) if out else None
            if not made:
                return False
            q.parts[word] = made
        elif word == "order by":
            if not out:
                return False
            by = self.g.r.sample(out, min(len(out), self.g.pick([1, 1, 2])))
            q.parts[word] = ", ".join(n + self.g.pick(["", " asc", " desc"]) for n, _ in by)
        else:
            q.parts[word] = str(self.g.pick([1, 1, 2, 3] + ([0] if self.g.chance(0.2) else [])))
        return self.put(i, q.text())

    def item(self):
        """One more output attribute, or one fewer."""
        defs = self.definitions()
        sent = {s["send"] for s in self.steps if "send" in s}
        i, q = self.each_query(lambda q: q.outputs() and not set(re.findall(r"\w+", q.end)) & sent)
        if q is None:
            return False
        items = split(q.parts["select"])
        if len(items) > 1 and self.g.chance(0.4):
            items.pop(self.g.r.randrange(len(items)))
        elif q.simple() and q.source() in defs:
            scope = self.g.scope(defs[q.source()])
            made = queries.aggregate(self.g, scope) if self.g.chance(0.5) else \
                (self.g.expression(self.g.pick(["int", "double", "bool", "string", "long", "float"]), scope, 2), "", "")
            if not made:
                return False
            items.insert(self.g.r.randint(0, len(items)), f" {made[0]} as more{self.g.r.randint(1, 99)}")
        else:
            plain = [e for _, e in q.outputs() if re.match(r"^\w+(\[[^\]]*\])?\.\w+$", e)]
            if not plain:
                return False
            items.insert(self.g.r.randint(0, len(items)), f" {self.g.pick(['count()', 'distinctCount(%s)', '%s is null', 'max(%s)', 'coalesce(%s, %s)']).replace('%s', self.g.pick(plain))} as more{self.g.r.randint(1, 99)}")
        q.parts["select"] = ",".join(items)
        return self.put(i, q.text())

    def filter(self):
        defs = self.definitions()
        i, q = self.each_query(lambda q: q.simple() and q.source() in defs)
        if q is None:
            return False
        made = f"[{self.g.condition(self.g.scope(defs[q.source()]), 1)}]"
        at = q.head.find("#window")
        if at >= 0 and self.g.chance(0.5):
            q.head = q.head[:at] + made + q.head[at:]
        else:
            q.head = q.head.rstrip() + made + "\n"
        return self.put(i, q.text())

    def drop_filter(self):
        return self.again(r"\[[^\]\[]*(?:[<>=]|null)[^\]\[]*\]", lambda m: "")

    def join(self):
        if self.g.chance(0.3):
            return self.again(r"(?i)\s+unidirectional\b", lambda m: "")
        if self.g.chance(0.2):
            return self.again(r"(?i)(?=\s+(?:(?:inner|left\s+outer|right\s+outer|full\s+outer)\s+)?join\b)", lambda m: " unidirectional")
        return self.again(r"(?i)\b(?:inner\s+|left\s+outer\s+|right\s+outer\s+|full\s+outer\s+)?join\b",
                          lambda m: self.g.pick(["join", "left outer join", "right outer join", "full outer join"]))

    def pattern(self):
        roll = self.g.r.random()
        if roll < 0.2:
            return self.again(r"(?i)\bevery\s+(?=[\w(])", lambda m: "")
        if roll < 0.4:
            return self.again(r"(?i)(?<=->)\s*(?=\w+\s*=)|(?<=from)\s+(?=\w+\s*=)", lambda m: " every ")
        if roll < 0.65:
            return self.again(r"<\d*:?\d*>", lambda m: self.g.pick(["<0:1>", "<1:>", "<2>", "<1:2>", "<:2>", "<2:>", "<0:>", "", "<1>"]))
        if roll < 0.75:
            return self.again(r"(?<=[\w\]])[*+?](?=\s*[,\s])", lambda m: self.g.pick(["*", "+", "?", "<2>", "<1:2>", ""]))
        if roll < 0.85:
            return self.again(r"(?<=\w)\s*(?=->)|(?<=\])\s*(?=->)", lambda m: self.g.pick(["<2>", "<1:>", "<0:1>", "<1:2>"]))
        if roll < 0.93:
            return self.again(r"(?i)\s+within\s+\d+\s*\w+(?=\s+select)", lambda m: "")
        return self.again(r"(?i)\s+(?=select)", lambda m: f" within {self.g.pick(['200 milliseconds', '500 milliseconds', '1 sec', '2 sec'])} ")

    def index(self):
        return self.again(r"\[(?:last(?:\s*-\s*\d+)?|\d+)\](?=\.)", lambda m: self.g.pick(["[0]", "[1]", "[2]", "[last]", "[last - 1]", "[last-2]", ""]))

    def playback(self):
        if "@app:playback" in self.app:
            self.app = self.app.replace("@app:playback", "", 1)
        elif "@app" not in self.app:
            self.app = "@app:playback " + self.app
        return True

    def partition(self):
        defs = self.definitions()
        if re.search(r"(?i)\bpartition\b", self.app):
            if self.g.chance(0.5) or "#" in re.sub("#window|'[^']*'", "", self.app):
                return False
            self.app = re.sub(r"(?is)\bpartition\s+with\s*\(.*?\)\s*begin\b", "", self.app)
            self.app = re.sub(r"(?i);\s*end\b", "", self.app)
            return True
        i, q = self.each_query(lambda q: q.source() in defs)
        if q is None:
            return False
        read = [n for n in defs if re.search(r"\b%s\b" % n, q.head)]
        read = [n for n in read if not re.search(r"(?i)define\s+(table|window)\s+`?%s\b" % n, self.app)]
        keys = []
        for name in read:
            names = defs[name].of("string", "bool", "int")
            if not names:
                return False
            if keys and self.g.chance(0.2):
                continue
            numbers = defs[name].of("int", "long", "double", "float")
            if numbers and self.g.chance(0.25):
                n = self.g.pick(numbers)
                keys.append(f"{n} < {self.g.r.randint(2, 8)} as 'low' or {n} >= {self.g.r.randint(1, 6)} as 'high' of {name}")
            else:
                keys.append(f"{'deviceId' if 'deviceId' in names else self.g.pick(names)} of {name}")
        return self.put(i, f" partition with ({', '.join(keys)}) begin {q.text().strip()}; end") if keys else False

    def attribute_type(self):
        """An attribute of a defined stream has another type of number."""
        found = list(re.finditer(r"(?is)\bdefine\s+(?:stream)\s+`?(\w+)`?\s*\(([^)]*)\)", self.app))
        if not found:
            return False
        m = self.g.pick(found)
        attributes = re.findall(r"(`?\w+`?)\s+(\w+)", m.group(2))
        numbers = [i for i, (n, t) in enumerate(attributes) if t.lower() in NUMERIC and n != "ts"]
        if not numbers:
            return False
        i = self.g.pick(numbers)
        kind = self.g.pick(NUMERIC)
        attributes[i] = (attributes[i][0], kind)
        self.app = self.app[: m.start(2)] + ", ".join(f"{n} {t}" for n, t in attributes) + self.app[m.end(2):]
        for row in self.rows(m.group(1)):
            v = row[i] if i < len(row) else None
            if isinstance(v, (int, float)) and kind in ("int", "long"):
                row[i] = max(-2**31, min(2**31 - 1, int(v))) if kind == "int" else int(v)
        return True

    def behind(self):
        """One more query reads what another one made, or what is sent."""
        defs = self.definitions()
        tables = set(re.findall(r"(?i)define\s+table\s+`?(\w+)", self.app))
        names = [n for n in defs if n not in tables]
        if not names:
            return False
        a = defs[self.g.pick(names)]
        number = f"more{self.g.r.randint(1, 999)}"
        if len(names) > 1 and self.g.chance(0.35):
            b = defs[self.g.pick(names)]
            windows = set(re.findall(r"(?i)define\s+window\s+`?(\w+)", self.app))
            text, _ = queries.join(self.g, 0, a, b, "Z" + number, left_window=None if a.name in windows else True,
                                   right_window=None if b.name in windows else True)
        else:
            windows = set(re.findall(r"(?i)define\s+window\s+`?(\w+)", self.app))
            text, _ = queries.simple(self.g, 0, a, "Z" + number, None if a.name in windows else queries.ALL,
                                     limit_rate=0.3)
        text = text.replace("@info(name='q0')", f"@info(name='{number}')")
        self.app = self.app.rstrip().rstrip(";") + ";\n" + text.strip().rstrip(";") + ";"
        return True

    def annotation(self):
        """Keys and indexes of tables come and go."""
        if self.g.chance(0.5):
            return self.again(r"(?i)@(?:PrimaryKey|Index)\s*\([^)]*\)", lambda m: "")
        found = list(re.finditer(r"(?is)\bdefine\s+table\s+`?(\w+)`?\s*\(([^)]*)\)", self.app))
        if not found:
            return False
        m = self.g.pick(found)
        names = re.findall(r"(\w+)`?\s+\w+", m.group(2))
        word = self.g.pick(["@PrimaryKey", "@Index", "@Index"])
        chosen = self.g.r.sample(names, min(len(names), self.g.pick([1, 1, 2])))
        self.app = self.app[: m.start()] + f"{word}({', '.join(repr(n) for n in chosen)}) " + self.app[m.start():]
        return True

    def range(self):
        """Aggregations: other durations."""
        order = ["sec", "min", "hour", "day", "month", "year"]
        low = self.g.r.randrange(5)
        made = self.g.pick([f"every {order[low]}", f"every {order[low]} ... {order[self.g.r.randint(low + 1, 5)]}",
                            "every " + ", ".join(sorted(self.g.r.sample(order, 2), key=order.index))])
        return self.again(r"(?i)\bevery\s+(?:sec|min|hour|day|month|year)\w*(?:\s*(?:\.\.\.|,)\s*(?:sec|min|hour|day|month|year)\w*)*", lambda m: made)

    def per(self):
        return self.again(r"(?i)(?<=per )(['\"])\w+\1", lambda m: f"'{self.g.pick(['seconds', 'minutes', 'hours', 'days', 'months', 'years', 'sec'])}'")

    def token(self):
        """Anything may happen to one token: the app is likely refused."""
        tokens = list(re.finditer(r"'[^']*'|\"[^\"]*\"|@?\w+(?:\.\d+)?|[<>=!]=|->|[^\s\w]", self.app))
        t, other = self.g.pick(tokens), self.g.pick(tokens)
        new = self.g.pick(["", other.group(), t.group() + " " + t.group(), other.group()])
        self.app = self.app[: t.start()] + new + self.app[t.end():]
        return True

    # ---- the steps ----

    def rows(self, stream=None):
        for s in self.steps:
            if "send" in s and stream in (None, s["send"]):
                if "batch" in s:
                    yield from (e["data"] for e in s["batch"])
                else:
                    yield s["data"]

    def value(self):
        """A few values become null, or another row's, or odd."""
        rows = list(self.rows())
        if not rows:
            return False
        by_stream = {}
        for s in self.steps:
            if "send" in s:
                by_stream.setdefault(s["send"], []).extend(e["data"] for e in s.get("batch", [s]))
        for _ in range(self.g.r.randint(1, 6)):
            rows = by_stream[self.g.pick(sorted(by_stream))]
            row = self.g.pick(rows)
            i = self.g.r.randrange(len(row))
            roll = self.g.r.random()
            if roll < 0.35 and not (isinstance(row[i], int) and row[i] > 10**9):
                row[i] = None
            elif roll < 0.85:
                row[i] = self.g.pick(rows)[i]
            elif isinstance(row[i], float):
                row[i] = self.g.pick([0.0, -0.5, 1e6, 0.1, 100.25])
            elif isinstance(row[i], int) and not isinstance(row[i], bool) and abs(row[i]) < 10**8:
                row[i] = self.g.pick([0, -1, 1, 2, 3, 100])
        return True

    def times(self, step):
        return [e["at"] for e in step["batch"]] if "batch" in step else [step.get("at", step.get("advance"))]

    def shift(self, step, by):
        if "batch" in step:
            for e in step["batch"]:
                e["at"] += by
        for k in ("at", "advance"):
            if k in step:
                step[k] += by

    def gaps(self):
        """Other gaps between the steps; attributes that repeat the event's time follow."""
        if len(self.steps) < 2:
            return False
        kind = self.g.pick(["one", "all", "zero", "scale"])
        at = self.g.r.randrange(1, len(self.steps))
        moved, before = 0, None
        for i, step in enumerate(self.steps):
            times = self.times(step)
            if None in times:
                return False
            if before is not None:
                gap = max(times) - before
                new = gap
                if kind == "one" and i == at:
                    new = self.g.pick(GAPS + [2500, 6000, 60000, 3600000])
                elif kind == "all":
                    new = self.g.pick(GAPS) if gap >= 0 else gap
                elif kind == "zero" and self.g.chance(0.3):
                    new = 0
                elif kind == "scale":
                    new = gap * self.g.pick([1, 1, 2]) if at % 2 else gap // 2
                moved += new - gap
            before = max(times)
            self.follow(step, moved)
        return True

    def follow(self, step, by):
        for e in step.get("batch", [step] if "send" in step else []):
            e["data"] = [v + by if isinstance(v, int) and not isinstance(v, bool) and v > 10**9 and v < 2 * 10**12 and
                         abs(v - e["at"]) < 10**6 else v for v in e["data"]]
        self.shift(step, by)

    def repeat(self):
        sends = [i for i, s in enumerate(self.steps) if "send" in s or "query" in s]
        if not sends:
            return False
        for _ in range(self.g.r.randint(1, 3)):
            i = self.g.pick(sends)
            self.steps.insert(i, copy.deepcopy(self.steps[i]))
        return True

    def remove(self):
        for _ in range(self.g.r.randint(1, 4)):
            if len(self.steps) > 3:
                self.steps.pop(self.g.r.randrange(1, len(self.steps)))
        return True

    def swap(self):
        """Two steps change places and keep the times."""
        single = [i for i, s in enumerate(self.steps) if "send" in s and "data" in s]
        if len(single) < 2:
            return False
        for _ in range(self.g.r.randint(1, 4)):
            a, b = self.steps[i := self.g.pick(single)], self.steps[j := self.g.pick(single)]
            if any(isinstance(v, int) and v > 10**9 for v in a["data"] + b["data"]):
                continue
            a["at"], b["at"] = b["at"], a["at"]
            self.steps[i], self.steps[j] = b, a
        return True

    def batch(self):
        """Neighbours to one stream go in as one batch, or a batch is taken apart."""
        out, i = [], 0
        whole = self.g.chance(0.7)
        while i < len(self.steps):
            s = self.steps[i]
            if whole and "send" in s and "data" in s and self.g.chance(0.5):
                j = i
                while j < len(self.steps) and self.steps[j].get("send") == s["send"] and "data" in self.steps[j] and j - i < 5:
                    j += 1
                if j - i > 1 and all(a["at"] <= b["at"] for a, b in zip(self.steps[i:j], self.steps[i + 1:j])):
                    out.append({"send": s["send"], "batch": [{"at": x["at"], "data": x["data"]} for x in self.steps[i:j]]})
                    i = j
                    continue
            if not whole and "batch" in s and all(a["at"] <= b["at"] for a, b in zip(s["batch"], s["batch"][1:])):
                out += [{"send": s["send"], "at": e["at"], "data": e["data"]} for e in s["batch"]]
            else:
                out.append(s)
            i += 1
        self.steps = out
        return True

    def one_stream(self):
        """More sends to one stream: rows of others in its own form are not known, so its own come again later."""
        sends = [s for s in self.steps if "send" in s and "data" in s]
        if not sends:
            return False
        last = max(self.times(self.steps[-1]))
        for _ in range(self.g.r.randint(2, 6)):
            s = copy.deepcopy(self.g.pick(sends))
            last += self.g.pick(GAPS)
            self.follow(s, last - s["at"])
            self.steps.append(s)
        self.steps.append({"advance": last + self.g.pick([0, 1000, 5000])})
        return True

    def query_step(self):
        """An on-demand query changed as the app is, or one more."""
        asked = [s for s in self.steps if "query" in s]
        if asked and self.g.chance(0.8):
            s = self.g.pick(asked)
            keep, self.app = self.app, s["query"]
            self.g.pick([self.number, self.operator, self.logic, self.aggregator, self.per, self.literal, self.arithmetic,
                         self.ondemand_clause])()
            s["query"], self.app = self.app, keep
            return True
        kept = re.findall(r"(?i)define\s+(?:table|window)\s+`?(\w+)", self.app)
        if not kept:
            return False
        i = self.g.r.randrange(1, len(self.steps) + 1)
        text = self.g.pick(["select *", "select count() as c", "select * limit 2", "", "select * offset 1"])
        self.steps.insert(i, {"query": f"from {self.g.pick(kept)} {text}".strip(), "at": max(self.times(self.steps[i - 1]))})
        return True

    def ondemand_clause(self):
        q = Query(self.app)
        if "select" not in q.parts:
            return False
        names = [n for n, _ in q.outputs()]
        word = self.g.pick(["order by", "limit", "offset", "group by"])
        if word in q.parts:
            del q.parts[word]
        elif word in ("limit", "offset"):
            q.parts[word] = str(self.g.pick([1, 2, 3]))
        elif names:
            q.parts[word] = self.g.pick(names) + (self.g.pick(["", " desc"]) if word == "order by" else "")
        self.app = q.text().strip()
        return True

    def late(self):
        """Times that go back: only where the given case has them."""
        sends = [s for s in self.steps[1:] if "send" in s and "data" in s]
        if not sends or "playback" in self.app:
            return False
        for _ in range(self.g.r.randint(1, 3)):
            self.g.pick(sends)["at"] -= self.g.pick([50, 100, 500, 1500])
        return True

    # ---- messages ----

    def payload(self):
        got = [s for s in self.steps if "receive" in s and "payload" in s]
        if not got:
            return False
        for _ in range(self.g.r.randint(1, 3)):
            s = self.g.pick(got)
            text = s["payload"]
            found = list(re.finditer(r"\"[^\"]*\"|-?\d+(?:\.\d+)?|\w+|[^\w\s]|\s+", text))
            if not found:
                continue
            t = self.g.pick(found)
            more = ["", "null", "1", "2.5", "\"x\"", "true", "-3", "1e2", " ", "0", "99999999999", "{", "}", "[", "]", ",", ":", "<a/>"]
            new = self.g.pick(more) if self.g.chance(0.6) else self.g.pick(found).group()
            s["payload"] = text[: t.start()] + new + text[t.end():]
        return True

    def message(self):
        """A message of another step, again."""
        got = [s for s in self.steps if "receive" in s and "payload" in s]
        if len(got) < 2:
            return False
        a, b = self.g.pick(got), self.g.pick(got)
        a["payload"] = b["payload"]
        return True

    def word(self):
        """Any literal or word inside quotes or between commas becomes another of the app."""
        found = list(re.finditer(r"'[^']*'|\b\d+(?:\.\d+)?[fFdDlL]?\b|\btrue\b|\bfalse\b|\bnull\b", self.app))
        if not found:
            return False
        t = self.g.pick(found)
        odd = ["''", "'a'", "'1'", "'abc'", "0", "-1", "5", "1.5", "2.5f", "3L", "true", "null"]
        new = self.g.pick(odd) if self.g.chance(0.4) else self.g.pick(found).group()
        self.app = self.app[: t.start()] + new + self.app[t.end():]
        return True


APP = [(3, "window"), (2, "add_window"), (1, "drop_window"), (2, "defined_window"), (2, "number"), (3, "duration"), (2, "operator"), (1, "arithmetic"),
       (1, "logic"), (2, "aggregator"), (1, "literal"), (4, "kinds"), (2, "rate"), (3, "group"), (4, "clause"), (3, "item"), (2, "filter"),
       (1, "drop_filter"), (2, "join"), (4, "pattern"), (1, "index"), (1, "playback"), (2, "partition"), (1, "attribute_type"), (2, "behind"),
       (2, "annotation"), (1, "range"), (1, "per"), (0.4, "token")]
STEPS = [(3, "value"), (3, "gaps"), (1, "repeat"), (1, "remove"), (2, "swap"), (2, "batch"), (1, "one_stream"), (2, "query_step"), (3, "payload"),
         (1, "message")]
EXTENSION = [(4, "word"), (2, "number"), (2, "literal"), (1, "token"), (1, "attribute_type"), (1, "operator")]


def mutant(case, g, area):
    m = Mutant(case, g)
    table = EXTENSION if re.match("ext-|map-", area) else APP
    steps = STEPS + ([(3, "late")] if area == "disorder" else [])
    for choices, count in ((table, g.pick([0, 1, 1, 2, 2, 3, 4])), (steps, g.pick([0, 1, 1, 2, 3]))):
        tries = 0
        while count and tries < 25:
            tries += 1
            name = g.r.choices([n for _, n in choices], [w for w, _ in choices])[0]
            try:
                done = getattr(m, name)()
            except (IndexError, ValueError):
                done = False
            if done:
                count -= 1
                g.tag("change:" + name)
    return m


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    path, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path) as lines:
        given = [json.loads(line) for line in lines if line.startswith("{")]
    area = re.sub(r".*/|\.jsonl$", "", path)
    for number in range(count):
        g = Gen(f"mutate/{area}/{seed}/{number}")
        case = g.pick(given)
        m = mutant(case, g, area)
        made = {k: v for k, v in case.items() if k not in ("expect", "tags", "app", "steps", "mode", "name")}
        print(json.dumps({"name": f"{area}/m{seed}/{number}", "mode": "playback" if "@app:playback" in m.app else "live",
                          "tags": sorted(t for t in g.tags if t.startswith("change:")) + ["from:" + case["name"]],
                          "app": m.app, "steps": m.steps, **made}, ensure_ascii=False))


if __name__ == "__main__":
    main()
