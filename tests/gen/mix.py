"""mix: apps of several queries that feed each other: patterns, partitions, tables, named windows, triggers, joins, rate limits."""
from basics import NUMERIC, Stream, disguise
import queries as q
from areas import define, mode

WITHIN = ["500 milliseconds", "1 sec", "2 sec", "5 sec", "3 seconds"]
WAITS = ["300 milliseconds", "1 sec", "1000 millisec", "2 sec"]
WINDOWS = ["length", "length", "time", "time", "lengthBatch", "lengthBatch", "session", "sort", "timeBatch", "timeLength",
           "batch", "delay", "expression", "expressionBatch", "frequent"]
WITH_CRON = WINDOWS + ["cron"]  # in a partition the order of the keys at a cron moment is an accident
COUNTS = ["<1:2>", "<2:>", "<2>", "<0:2>", "<:2>", "<2:3>", "<3>", "<1:>"]


class Chain:
    """A pattern or sequence over streams; states: (ref, stream, counted) in the order of the text."""

    def __init__(self, g, streams):
        self.g, self.streams, self.states, self.number = g, streams, [], 0
        self.sequence = g.chance(0.25)

    def condition(self, stream, p=0.55):
        g = self.g
        if not g.chance(p):
            return ""
        earlier = [(f"{ref}{g.pick(['[0]', '[last]', '[1]']) if counted else ''}.{n}", t)
                   for ref, s, counted in self.states for n, t in s.attributes]
        text = None
        if earlier and g.chance(0.5):
            other, kind = g.pick(earlier)
            own = stream.of(*(NUMERIC if kind in NUMERIC else (kind,)))
            if own:
                g.tag("pattern:filter-earlier")
                op = g.pick(["==", "!="] + (["<", "<=", ">", ">="] if kind in NUMERIC else []))
                text = f"{g.pick(own)} {op} {other}"
        text = text or g.comparison(g.scope(stream))
        if g.chance(0.2):
            text += f" {g.pick(['and', 'or'])} {g.comparison(g.scope(stream))}"
        return f"[{text}]"

    def plain(self, count=0.0):
        g, stream = self.g, self.g.pick(self.streams)
        self.number += 1
        ref, counted = f"e{self.number}", g.chance(count)
        text = f"{ref}={stream.name}{self.condition(stream)}"
        if counted:
            text += g.pick(["*", "+", "?"] if self.sequence and g.chance(0.6) else COUNTS)
            g.tag("pattern:count")
        return text, (ref, stream, counted)

    def absent(self, timed):
        stream = self.g.pick(self.streams)
        self.g.tag("pattern:absent")
        return f"not {stream.name}{self.condition(stream)}" + (f" for {self.g.pick(WAITS)}" if timed else "")

    def element(self):
        g, roll = self.g, self.g.r.random()
        if roll < 0.75:
            text, state = self.plain(0.22)
            self.states.append(state)
        elif roll < 0.82:
            text = self.absent(True)
        elif roll < 0.92:
            op = g.pick(["and", "or"])
            (left, a), (right, b) = self.plain(), self.plain()
            self.states += [a, b]
            text = f"{left} {op} {right}"
            g.tag("pattern:logical")
        else:
            timed = g.chance(0.6)
            op = g.pick(["and", "or"]) if timed else "and"
            left = self.absent(timed)
            right, state = self.plain()
            self.states.append(state)
            pair = [left, right]
            g.r.shuffle(pair)
            text = f" {op} ".join(pair)
        return text

    def text(self):
        g = self.g
        items = [self.element() for _ in range(g.pick([1, 2, 2, 2, 3, 3, 4]) + (1 if self.sequence else 0))]
        if self.sequence:
            g.tag("mix:sequence")
            items[0] = ("every " if g.chance(0.8) else "") + items[0]
            text = ", ".join(items)
        else:
            roll = g.r.random()
            if roll < 0.6:
                items[0] = "every " + items[0]
            elif roll < 0.75 and len(items) > 1:
                last = g.r.randint(1, len(items) - 1)
                items[: last + 1] = ["every (" + " -> ".join(items[: last + 1]) + ")"]
            elif roll < 0.85:
                at = g.r.randrange(len(items))
                items[at] = "every " + items[at]
            text = " -> ".join(items)
        if g.chance(0.3):
            text += f" within {g.pick(WITHIN)}"
            g.tag("pattern:within")
        return text

    def select(self):
        """The select clause and what it makes."""
        g, items, out = self.g, [], []
        for ref, stream, counted in self.states:
            for n, t in g.r.sample(stream.attributes, min(len(stream.attributes), g.pick([1, 1, 2]))):
                index, suffix = g.pick([("[0]", "0"), ("[1]", "1"), ("[last]", "L"), ("[last-1]", "P")]) if counted else ("", "")
                name = f"{ref}{n}{suffix}"
                if name not in [o[0] for o in out]:
                    items.append(f"{ref}{index}.{n} as {name}")
                    out.append((name, t))
        if not items:
            return "select 1 as one", [("one", "int")]
        both = list(zip(items, out))
        g.r.shuffle(both)
        return "select " + ", ".join(i for i, _ in both), [o for _, o in both]


def pattern(g, number, streams, target):
    some = g.r.sample(streams, min(len(streams), g.pick([1, 2, 2, 3])))
    chain = Chain(g, some)
    text = chain.text()
    clause, out = chain.select()
    if g.chance(0.15):
        clause += q.tail(g, out)
    g.tag("mix:pattern")
    rate = f"output {g.pick(['last', 'first', ''])} every {g.pick([2, 3])} events\n" if g.chance(0.05) else ""
    return f"@info(name='q{number}')\nfrom {text}\n{clause}\n{rate}insert into {target};", Stream(target, out)


def key_of(g, stream):
    keys = stream.of("string", "int", "bool")
    return g.pick(["deviceId"] * 3 + keys if "deviceId" in keys else keys) if keys else None


def partition(g, number, streams, target):
    g.tag("mix:partition")
    fit = [s for s in streams if key_of(g, s)]
    if not fit:
        return q.simple(g, number, g.pick(streams), target, WINDOWS, 0.6)
    s = g.pick(fit)
    keys = [f"{key_of(g, s)} of {s.name}"]
    roll = g.r.random()
    if roll < 0.15:
        g.tag("mix:inner")
        inner_text, inner = q.simple(g, f"{number}i", s, f"#Inner{number}", WINDOWS, 0.3, group=0.1)
        text, out = q.simple(g, number, Stream(inner.name, inner.attributes), target, WINDOWS, 0.5, 0.1)
        body = inner_text + "\n" + text
    elif roll < 0.3:
        text, out = pattern(g, number, [s], target)
        body = text
    elif roll < 0.4:
        other = g.pick(fit)
        if other.name != s.name:
            keys.append(f"{key_of(g, other)} of {other.name}")
        body, out = q.join(g, number, s, other, target, windows=("length", "time", "lengthBatch"), group=0.2)
    else:
        body, out = q.simple(g, number, s, target, WINDOWS, 0.5, 0.1, group=0.2)
    body = "    " + body.replace("\n", "\n    ")
    return f"partition with ({', '.join(keys)})\nbegin\n{body}\nend;", out


def table(g, streams):
    """(definition, name, columns, writing query without number)."""
    s = g.pick([x for x in streams if ("deviceId", "string") in x.attributes])
    columns = [("deviceId", "string")] + [a for a in s.attributes if a[0] in ("level", "temp")]
    t = Stream("StateTable", columns)
    keyed = g.chance(0.6)
    sets = ", ".join(f"{t.name}.{n} = {n}" for n, _ in columns[1 if keyed else 0:])
    names = ", ".join(n for n, _ in columns)
    roll = g.r.random()
    if roll < 0.7:
        write = f"update or insert into {t.name}\n    set {sets}\n    on {t.name}.deviceId == deviceId;"
    elif roll < 0.85:
        write = f"update or insert into {t.name}\n    on {t.name}.deviceId == deviceId;"
    else:
        write = f"insert into {t.name};"
    key = "@PrimaryKey('deviceId')\n" if keyed else g.pick(["", "", "@Index('level')\n" if ("level", "int") in columns else ""])
    g.tag("mix:table")
    return f"{key}define table {t.name} {t.declaration()};\n", t, f"from {s.name}\nselect {names}\n{write}"


def table_query(g, number, streams, t, target):
    fit = [s for s in streams if s.of("string")]
    roll = g.r.random()
    s = g.pick(fit or streams)
    text_of = s.of("string")
    on = f"StateTable.deviceId == {g.pick(text_of)}" if text_of else "StateTable.deviceId == 'd1'"
    if roll < 0.2:
        g.tag("table:in")
        names = ", ".join(n for n, _ in s.attributes)
        return f"@info(name='q{number}')\nfrom {s.name}[{g.pick(['', 'not '])}({on} in StateTable)]\nselect {names}\n" \
            f"insert into {target};", Stream(target, s.attributes)
    if roll < 0.35:
        g.tag("mix:table-delete")
        return f"@info(name='q{number}')\nfrom {s.name}[{g.comparison(g.scope(s))}]\nselect *\ndelete StateTable\n    on {on};", None
    if roll < 0.45 and s.of("int") and ("level", "int") in t.attributes:
        g.tag("mix:table-update")
        return f"@info(name='q{number}')\nfrom {s.name}\nselect *\nupdate StateTable\n    set StateTable.level = " \
            f"{g.pick(s.of('int'))}\n    on {on};", None
    g.tag("mix:table-join")
    return q.join(g, number, s, t, target, g.chance(0.4), None, uni=0.1, group=0.2, windows=("length", "time", "lengthBatch"))


def mix(g):
    streams = [g.stream(need=[("level", "int"), ("temp", "double")], count=(0, 2))]
    if g.chance(0.6):
        b = g.stream(need=[("level", "int")], count=(0, 2))
        while b.name == streams[0].name:
            b = g.stream(need=[("level", "int")], count=(0, 2))
        streams.append(b)
    inputs, head, texts, asked = list(streams), define(*streams), [], []
    t = None
    if g.chance(0.45):
        made, t, write = table(g, streams)
        head += made
        texts.append(f"@info(name='q1')\n{write}")
        asked.append("from StateTable select * order by " + ", ".join(n for n, _ in t.attributes))
    if g.chance(0.3):
        g.tag("mix:namedwin")
        s = g.pick(inputs)
        w = Stream("SharedWindow", [("deviceId", "string"), ("level", "int")])
        head += f"define window {w.name} {w.declaration()} {q.window(g, w, WINDOWS)}" \
            f"{g.pick([' output all events', ' output all events', '', ' output expired events'])};\n"
        texts.append(f"@info(name='q{len(texts) + 1}')\nfrom {s.name}\nselect deviceId, level\ninsert into {w.name};")
        asked.append("from SharedWindow select * order by deviceId, level")  # of a current-only one Siddhi fails inside
        streams.append(w)
    if g.chance(0.15):
        g.tag("mix:trigger")
        every = g.pick(["'start'", "every 1 sec", "every 700 millisec", "every 5 sec", "'*/2 * * * * ?'"])
        head += f"define trigger Ticker at {every};\n"
        streams.append(Stream("Ticker", [("triggered_time", "long")]))
    for i in range(g.r.randint(2, 6)):
        number, target = len(texts) + 1, f"Out{i + 1}"
        usable = streams
        roll = g.r.random()
        no_window = [s for s in usable if s.name != "SharedWindow"]
        recent = no_window[-3:] if g.chance(0.5) else no_window
        if roll < 0.2:
            text, out = pattern(g, number, recent, target)
        elif roll < 0.4:
            text, out = partition(g, number, recent, target)
        elif roll < 0.58 and len(no_window) > 1:
            left, right = g.r.sample(no_window, 2)
            windowed = True
            if "SharedWindow" in [s.name for s in usable] and g.chance(0.3):
                right, windowed = next(s for s in usable if s.name == "SharedWindow"), None
            text, out = q.join(g, number, left, right, target, True, windowed, windows=("length", "time", "lengthBatch", "timeBatch"),
                               uni=0.1, group=0.2)
            g.tag("mix:join")
        elif roll < 0.68 and t:
            text, out = table_query(g, number, no_window, t, target)
        else:
            s = g.pick(usable[-3:] if g.chance(0.5) else usable)
            g.tag("mix:chain")
            names = None if s.name == "SharedWindow" else WITH_CRON
            text, out = q.simple(g, number, s, target, names, 0.5, 0.15, group=0.35)
        texts.append(text)
        if out and out.attributes and "*" not in [n for n, _ in out.attributes]:
            streams.append(out)
    sent = list(inputs)
    if g.chance(0.06):
        g.tag("mix:sent-between")
        made = [s for s in streams if s.name.startswith("Out")]
        if made:
            sent.append(g.pick(made))
    steps = g.steps(sent, g.r.randint(9, 22), g.pick([0, 0, 0.2]))
    last = max(s.get("at", s.get("advance", 0)) if "batch" not in s else s["batch"][-1]["at"] for s in steps)
    steps += [{"query": text, "at": last} for text in asked]
    return mode(g, disguise(g, head + "\n".join(texts)), 0.1), steps, None


AREAS = {"mix": mix}
