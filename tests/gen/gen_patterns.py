#!/usr/bin/env python3
"""gen_patterns.py SEED COUNT - random cases of patterns and sequences, one JSON object a line, without 'expect'.

The same seed gives the same cases. What comes out is the language's full range for patterns: every in all places, counts, and, or,
absence with and without a time, within, conditions on earlier states (also such that an index answers), several elements of one stream,
batches, partitions, rate limits, a query that reads another's output, and timestamps that go back. Expectations come from elsewhere."""
import json
import random
import sys

TYPES = {"v": "int", "k": "string", "d": "double", "n": "long", "ok": "bool"}
TIMES = [("200 milliseconds", 200), ("500 milliseconds", 500), ("1 sec", 1000), ("2 sec", 2000)]


class App:
    def __init__(self, rng):
        self.rng = rng
        self.streams = {}
        for name in ["A", "B", "C"][:rng.choice([1, 2, 2, 3])]:
            attrs = ["v", "k"] + rng.sample(["d", "n", "ok"], rng.choice([0, 0, 1, 2]))
            rng.shuffle(attrs)
            self.streams[name] = attrs
        self.extra = {}  # streams that queries write: usable by later queries
        self.tags = set()

    def pick(self):
        return self.rng.choice(list(self.streams))


def literal(rng, attr):
    if attr == "k":
        return "'%s'" % rng.choice(["x", "y", "z"])
    if attr == "ok":
        return rng.choice(["true", "false"])
    if attr == "d":
        return "%.1f" % rng.choice([0.5, 1.5, 2.5, 3.0])
    return str(rng.randint(0, 4)) + ("L" if attr == "n" else "")


def one_condition(app, own, earlier):
    """own: attributes; earlier: [(ref, attributes, counted)]"""
    rng = app.rng
    usable = [e for e in earlier if e[0]]
    if usable and rng.random() < 0.55:
        ref, attrs, counted = rng.choice(usable)
        index = ""
        if counted:
            index = rng.choice(["[0]", "[0]", "[1]", "[last]", "[last - 1]"])
        kind = rng.random()
        if kind < 0.45:
            a = rng.choice(["k", "v"])
            return rng.choice(["%s == %s%s.%s" % (a, ref, index, a), "%s%s.%s == %s" % (ref, index, a, a)])
        if kind < 0.9:
            return "%s %s %s%s.%s" % ("v", rng.choice([">", ">=", "<", "!="]), ref, index, "v")
        return "not (%s%s is null)" % (ref, index)
    a = rng.choice(own)
    if a == "k":
        return "k %s %s" % (rng.choice(["==", "!="]), literal(rng, "k"))
    if a == "ok":
        return rng.choice(["ok", "not ok", "ok == true"])
    if rng.random() < 0.1:
        return "not (%s is null)" % a
    return "%s %s %s" % (a, rng.choice([">", ">=", "<", "<=", "!=", ">"]), literal(rng, a))


def condition(app, own, earlier, self_ref=None):
    rng = app.rng
    c = one_condition(app, own, earlier)
    r = rng.random()
    if r < 0.25:
        c = "%s and %s" % (c, one_condition(app, own, earlier))
    elif r < 0.33:
        c = "%s or %s" % (c, one_condition(app, own, earlier))
    if self_ref and rng.random() < 0.3:
        c = "%s[last].v is null or v %s %s[last].v" % (self_ref, rng.choice([">", ">=", "!="]), self_ref)
    return "[%s]" % c


class Chain:
    def __init__(self, app, sequence):
        self.app, self.rng, self.sequence = app, app.rng, sequence
        self.elements = []  # (ref, attributes, counted), in the order of the text
        self.numbered = []  # as conditions see them
        self.number = 0
        rng = self.rng
        names = list(app.streams)
        # Some chains read one stream only: the hardest ones.
        self.names = [rng.choice(names)] if rng.random() < 0.35 else names

    def ref(self):
        self.number += 1
        return "e%d" % self.number

    def stream(self):
        return self.rng.choice(self.names)

    def filter_of(self, stream, chance=0.6, self_ref=None):
        if self.rng.random() > chance:
            return ""
        return condition(self.app, self.app.streams[stream], self.numbered, self_ref)

    def plain(self, count=False):
        stream, ref = self.stream(), self.ref()
        quant, counted = "", False
        if count:
            counted = True
            if self.sequence and self.rng.random() < 0.6:
                quant = self.rng.choice(["*", "+", "?"])
            else:
                quant = self.rng.choice(["<1:2>", "<2:>", "<0:1>", "<:2>", "<2>", "<1:>", "<0:>", "<2:3>", "<3>"])
        text = "%s=%s%s%s" % (ref, stream, self.filter_of(stream, self_ref=ref if counted else None), quant)
        return text, [(ref, self.app.streams[stream], counted)]

    def absent(self, timed):
        stream = self.stream()
        text = "not %s%s" % (stream, self.filter_of(stream, 0.5))
        if timed:
            text += " for " + self.rng.choice(TIMES)[0]
        return text

    def element(self):
        rng, r = self.rng, self.rng.random()
        if r < 0.52:
            text, own = self.plain()
        elif r < 0.70:
            text, own = self.plain(count=True)
            self.app.tags.add("count")
        elif r < 0.80:
            self.app.tags.add("absent")
            return self.absent(True)
        else:
            return self.logical()
        self.elements += own
        self.numbered += own
        return text

    def logical(self):
        rng = self.rng
        op = rng.choice(["and", "or"])
        kind = rng.random()
        self.app.tags.add("logical")
        if kind < 0.62:
            # The right operand is numbered first and sees less.
            right, own_right = self.plain()
            self.numbered += own_right if False else []
            left, own_left = self.plain()
            self.elements += own_left + own_right
            self.numbered += own_left + own_right
            return "%s %s %s" % (left, op, right)
        if kind < 0.74:
            text, own = self.plain()
            absent = self.absent(False)
            self.elements += own
            self.numbered += own
            return rng.choice(["%s and %s" % (absent, text), "%s and %s" % (text, absent)])
        if kind < 0.92:
            text, own = self.plain()
            absent = self.absent(True)
            self.elements += own
            self.numbered += own
            return rng.choice(["%s %s %s" % (absent, op, text), "%s %s %s" % (text, op, absent)])
        return "%s %s %s" % (self.absent(True), op, self.absent(True))

    def text(self):
        rng = self.rng
        count = rng.choice([2, 2, 2, 3, 3, 4] if self.sequence else [1, 2, 2, 2, 2, 3, 3, 4])
        if self.sequence:
            items = [self.element() for _ in range(count)]
            if rng.random() < 0.85:
                items[0] = "every " + items[0]
            out = ", ".join(items)
        else:
            items = [self.element() for _ in range(count)]
            out = self.with_every(items)
        if rng.random() < 0.3:
            out += " within " + rng.choice(TIMES)[0]
            self.app.tags.add("within")
        return out

    def with_every(self, items):
        rng, r = self.rng, self.rng.random()
        if r < 0.12:
            pass
        elif r < 0.62:
            items[0] = "every " + items[0]
        elif r < 0.84 and len(items) > 1:
            first = rng.randint(0, len(items) - 2)
            last = rng.randint(first + 1, len(items) - 1)
            items[first:last + 1] = ["every (%s)" % " -> ".join(items[first:last + 1])]
            if first > 0 and rng.random() < 0.5:
                items[0] = "every " + items[0]
        else:
            at = rng.randrange(len(items))
            items[at] = "every " + items[at]
            if at > 0 and rng.random() < 0.6:
                items[0] = "every " + items[0]
        return " -> ".join(items)


def select_clause(app, chain):
    rng = app.rng
    refs = chain.elements
    if not refs:
        return "select 'x' as c", {"c": "string"}, ""
    outs, types = [], {}
    if rng.random() < 0.12:
        ref, attrs, counted = rng.choice(refs)
        index = "[0]" if counted else ""
        outs = ["%s%s.k as k" % (ref, index), "count() as n"]
        other = rng.choice(refs)
        outs.append("sum(%s%s.v) as s" % (other[0], "[last]" if other[2] else ""))
        tail = rng.choice([" group by %s%s.k" % (ref, index), ""])
        tail += rng.choice(["", " having n > 1"])
        app.tags.add("aggregate")
        return "select " + ", ".join(outs), {"k": "string", "n": "long", "s": "long"}, tail
    number = 0
    for ref, attrs, counted in refs:
        for _ in range(rng.choice([1, 1, 2])):
            number += 1
            name = "o%d" % number
            a = rng.choice(["v", "v", "k"] + attrs)
            if counted:
                index = rng.choice(["[0]", "[1]", "[2]", "[last]", "[last - 1]", ""])
                if index == "":
                    outs.append("%s.%s as %s" % (ref, a, name))
                    types[name] = "object"
                    continue
                outs.append("%s%s.%s as %s" % (ref, index, a, name))
            elif rng.random() < 0.06:
                outs.append("%s is null as %s" % (ref, name))
                types[name] = "bool"
                continue
            elif "logical" not in app.tags and rng.random() < 0.05:
                outs.append("eventTimestamp(%s) as %s" % (ref, name))
                types[name] = "long"
                continue
            else:
                outs.append("%s.%s as %s" % (ref, a, name))
            types[name] = TYPES[a]
    return "select " + ", ".join(outs), types, ""


def query(app, number, stream_out):
    rng = app.rng
    sequence = rng.random() < 0.45
    app.tags.add("sequence" if sequence else "pattern")
    chain = Chain(app, sequence)
    text = chain.text()
    select, types, tail = select_clause(app, chain)
    rate = ""
    if rng.random() < 0.05:
        rate = " output %s every %d events" % (rng.choice(["all", "first", "last"]), rng.choice([2, 3]))
        app.tags.add("rate")
    kind = rng.choice([""] * 9 + ["all events "])
    return "@info(name='q%d') from %s %s%s%s insert %sinto %s;" % (number, text, select, tail, rate, kind, stream_out), types


def data(rng, attrs):
    row = []
    for a in attrs:
        if rng.random() < 0.05 and a != "ok":
            row.append(None)
        elif a == "k":
            row.append(rng.choice(["x", "y", "z"]))
        elif a == "ok":
            row.append(rng.random() < 0.5)
        elif a == "d":
            row.append(rng.choice([0.5, 1.5, 2.0, 2.5, 3.5]))
        else:
            row.append(rng.randint(0, 5))
    return row


def steps(app, disorder):
    rng, out = app.rng, []
    at = rng.choice([1000, 1000, 1700000000000])
    names = list(app.streams)
    for _ in range(rng.randint(8, 24)):
        r = rng.random()
        if r < 0.08:
            at += rng.choice([100, 500, 1000, 2500])
            out.append({"advance": at})
            continue
        at += rng.choice([0, 0, 1, 10, 50, 100, 100, 200, 300, 500, 1000])
        name = rng.choice(names)
        if r < 0.15:
            batch = []
            for _ in range(rng.randint(2, 4)):
                at += rng.choice([0, 1, 50])
                batch.append({"at": at, "data": data(rng, app.streams[name])})
            out.append({"send": name, "batch": batch})
            continue
        when = at
        if disorder and rng.random() < 0.25:
            when = max(1, at - rng.choice([1, 50, 300, 1000, 2000]))
        out.append({"send": name, "at": when, "data": data(rng, app.streams[name])})
    if rng.random() < 0.7:
        out.append({"advance": at + rng.choice([500, 1000, 3000])})
    return out


def case(seed, number):
    rng = random.Random("%d/%d" % (seed, number))
    app = App(rng)
    playback = rng.random() < 0.3
    # Siddhi fails inside where partitioned streams of a pattern have different numbers of attributes, and on the time of an event that is not there.
    partition = rng.random() < 0.12
    if partition:
        app.streams = {n: ["v", "k"] for n in app.streams}
    defines = ["define stream %s (%s);" % (n, ", ".join("%s %s" % (a, TYPES[a]) for a in attrs)) for n, attrs in app.streams.items()]
    text, inputs = [], dict(app.streams)
    if partition:
        q, _ = query(app, 1, "Out1")
        app.tags.add("partition")
        text.append("partition with (%s) begin %s end;" % (", ".join("k of %s" % n for n in app.streams), q))
    else:
        q, types = query(app, 1, "Out1")
        text.append(q)
        if rng.random() < 0.12 and types.get("o1") == "int" and types.get("o2") == "string" and len(types) == 2:
            text[0] = text[0].replace(" as o1", " as v").replace(" as o2", " as k")
            app.streams["Out1"] = ["v", "k"]
            app.tags.add("chain")
        if rng.random() < 0.2 or "chain" in app.tags:
            q, _ = query(app, 2, "Out2")
            text.append(q)
    app.streams = inputs
    disorder = not playback and rng.random() < 0.12
    result = steps(app, disorder)
    head = "@app:playback " if playback else ""
    return {"name": "patterns/%d/%d" % (seed, number), "mode": "playback" if playback else "live",
            "tags": sorted(app.tags | ({"disorder"} if disorder else set())),
            "app": head + " ".join(defines) + " " + " ".join(text), "steps": result}


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: gen_patterns.py SEED COUNT")
    for number in range(int(sys.argv[2])):
        print(json.dumps(case(int(sys.argv[1]), number)))


if __name__ == "__main__":
    main()
