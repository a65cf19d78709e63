"""What every area shares: chance, streams and their values, expressions, the steps of a case."""
import random
import string

STREAMS = [
    "TempStream", "DoorStream", "ValveEvents", "PumpStream", "SensorIn", "MeterStream", "TankStream", "FlowStream",
    "PowerStream", "BoilerStream", "CoolerStream", "LightStream", "BatteryStream", "GatewayStream", "HeartbeatStream",
    "VibrationStream",
]
POOL = {
    "string": ["model", "zone", "site", "status", "room"],
    "int": ["level", "battery", "rssi", "errCode"],
    "long": ["pulses", "uptime", "seqNo"],
    "float": ["humidity", "voltage", "ratio"],
    "double": ["temp", "power", "pressure"],
    "bool": ["active", "alarm", "online"],
}
WORDS = {
    "deviceId": ["d1", "d2", "d3"], "model": ["mx-1", "mx 2", "Mäx"], "zone": ["north", "south"],
    "site": ["A", "B", ""], "status": ["ok", "warn", "fail"], "room": ["lab", "attic", "hall"],
}
NUMERIC = ("int", "long", "float", "double")
STARTS = [1700000000000, 1700000000000, 1700000000137, 1709251190500, 1000]
GAPS = [0, 0, 50, 100, 100, 100, 200, 250, 300, 500, 700, 1000]
JUMPS = [2500, 3000, 4000, 6000, 8000, 11000, 15000]
DURATIONS = [
    "500", "1000", "1 sec", "2 sec", "500 milliseconds", "1000 millisec", "2000L", "1 second", "3 seconds", "1500L",
    "1 sec 500 milliseconds", "5 sec", "5000 milliseconds", "100 millisec",
]


class Stream:
    """A stream, window or table: its id and its attributes as (name, type)."""

    def __init__(self, name, attributes):
        self.name = name
        self.attributes = attributes

    def of(self, *types):
        return [n for n, t in self.attributes if t in types]

    def declaration(self):
        return "(" + ", ".join(f"{n} {t}" for n, t in self.attributes) + ")"


class Gen:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.tags = set()
        self.spice = self.r.random()  # below 0.1: odd values too
        self.never_null = set()  # attributes whose null would be a run-time error; '*': all

    def chance(self, p):
        return self.r.random() < p

    def pick(self, things):
        return self.r.choice(things)

    def tag(self, *tags):
        self.tags.update(tags)

    # ---- streams ----

    def stream(self, name=None, need=(), count=(2, 5), with_ts=False):
        attributes = [("deviceId", "string")] + [a for a in need if a[0] != "deviceId"]
        if with_ts:
            attributes.append(("ts", "long"))
        used = {a for a, _ in attributes}
        for _ in range(self.r.randint(*count)):
            kind = self.pick(list(POOL))
            free = [a for a in POOL[kind] if a not in used]
            if free:
                attributes.append((self.pick(free), kind))
                used.add(attributes[-1][0])
        self.r.shuffle(attributes)
        return Stream(name or self.pick(STREAMS), attributes)

    def value(self, name, kind):
        if self.chance(0.04) and name not in self.never_null and "*" not in self.never_null:
            return None
        odd = self.spice < 0.1 and self.chance(0.15)
        if kind == "string":
            if odd:
                return self.pick(["", " ", "é", "null", "x,y", '"q"', "12", "-3.5", "true", "𝔘"])
            return self.pick(WORDS.get(name, ["a", "b"]))
        if kind == "bool":
            return self.chance(0.5)
        if kind == "int":
            if odd:
                return self.pick([2147483647, -2147483648, -1, 16777217])
            return self.pick([self.r.randint(0, 6), self.r.randint(0, 6), self.r.randint(0, 40), self.r.randint(-5, 5)])
        if kind == "long":
            if odd:
                return self.pick([9007199254740993, -9223372036854775808, 9223372036854775807, -1])
            if self.chance(0.06):
                return self.pick([2147483648, 3000000000, -5000000000, 1099511627776])
            return self.pick([self.r.randint(0, 9), self.r.randint(0, 9), self.r.randint(0, 300), self.r.randint(-5, 5)])
        if kind == "float":
            if odd:
                return self.pick(["NaN", "Infinity", "-Infinity", -0.0, 16777216.0, 0.1, 1e10])
            return self.pick([self.r.randint(-2, 20) / 2, self.r.randint(0, 20) / 2, self.r.randint(0, 1000) / 10])
        if odd:
            return self.pick(["NaN", "Infinity", "-Infinity", -0.0, 0.1, 1e308, 9007199254740992.0, 1e-7])
        return self.pick([self.r.randint(60, 100) / 4, self.r.randint(60, 100) / 4, round(self.r.gauss(25, 10), 2)])

    def row(self, stream, ts=None):
        return [ts if n == "ts" else self.value(n, t) for n, t in stream.attributes]

    # ---- literals and expressions: text of a given type over a scope [(text, type, name)] ----

    def literal(self, kind, name=None):
        if kind == "string":
            word = self.pick(WORDS.get(name, WORDS["deviceId"]))
            return f'"{word}"' if self.chance(0.1) else f"'{word}'"
        if kind == "bool":
            return self.pick(["true", "false"])
        if kind == "int":
            return str(self.pick([0, 1, 2, 3, 4, 5, 6, 8, 20, 42, self.r.randint(0, 40)]))
        if kind == "long":
            return f"{self.pick([0, 1, 2, 3, 5, 9, 17, 100])}{self.pick('LLl')}"
        if kind == "float":
            return self.pick(["1.5f", "-1.5f", "2f", "7.5f", "10.25f", "20.5f", "0.5f", "4.5f", "3.0F"])
        return self.pick(["2.25", "20.0", "22.5", "18.75", "21.25", "3.0d", "0.0", "1e2"])

    def attribute(self, scope, *kinds):
        fit = [text for text, t, _ in scope if t in kinds]
        return self.pick(fit) if fit else None

    def expression(self, kind, scope, depth=2):
        if depth <= 0 or self.chance(0.25):
            return (self.attribute(scope, kind) if self.chance(0.8) else None) or self.literal(kind)
        if kind == "bool":
            return self.condition(scope, depth)
        roll = self.r.random()
        if kind in NUMERIC and roll < 0.5:
            return self.arithmetic(kind, scope, depth)
        return self.call(kind, scope, depth)

    def arithmetic(self, kind, scope, depth):
        lower = NUMERIC[: NUMERIC.index(kind) + 1]
        left, right = kind, self.pick(lower)
        if self.chance(0.3):
            left, right = right, left
        op = self.pick("+-*/%")
        self.tag("op:" + op)
        return f"({self.expression(left, scope, depth - 1)} {op} {self.expression(right, scope, depth - 1)})"

    def call(self, kind, scope, depth):
        names = ["coalesce", "ifThenElse", "default", "convert", "cast"]
        if kind in NUMERIC:
            names += ["maximum", "minimum"]
        name = self.pick(names)
        inner = lambda k=kind: self.expression(k, scope, depth - 1)
        self.tag("fn:" + name)
        if name in ("coalesce", "maximum", "minimum"):
            return f"{name}({', '.join(inner() for _ in range(self.pick([1, 2, 2, 3])))})"
        if name == "ifThenElse":
            return f"ifThenElse({self.condition(scope, depth - 1)}, {inner()}, {inner()})"
        if name == "default":
            return f"default({inner()}, {self.literal(kind)})"
        if name == "cast":
            return f"cast({inner()}, '{kind}')"
        source = self.pick(list(POOL))
        self.tag(f"convert:{source}->{kind}")
        return f"convert({inner(source)}, '{kind}')"

    def comparison(self, scope, depth=1):
        number = self.attribute(scope, *NUMERIC)
        roll = self.r.random()
        if number and roll < 0.55:
            kind = next(t for text, t, _ in scope if text == number)
            other = self.literal(self.pick([kind, kind, "int", "double", self.pick(NUMERIC)]))
            if self.chance(0.25):
                other = self.attribute(scope, *NUMERIC)
            elif depth > 1 and self.chance(0.4):
                number = self.expression(kind, scope, depth - 1)
            op = self.pick(["<", "<=", ">", ">=", "==", "!="])
            self.tag("cmp:" + op)
            if self.chance(0.1):
                number, other = other, number
            return f"{number} {op} {other}"
        if roll < 0.75:
            text = self.attribute(scope, "string")
            if text:
                name = next(n for t, _, n in scope if t == text)
                other = self.attribute(scope, "string") if self.chance(0.2) else self.literal("string", name)
                return f"{text} {self.pick(['==', '!='])} {other}"
        if roll < 0.88:
            flag = self.attribute(scope, "bool")
            if flag:
                return flag if self.chance(0.3) else f"{flag} {self.pick(['==', '!='])} {self.literal('bool')}"
        self.tag("op:is null")
        any_one = self.pick(scope)[0]
        return f"{any_one} is null" if self.chance(0.4) else f"not ({any_one} is null)"

    def condition(self, scope, depth=1):
        roll = self.r.random()
        if depth <= 0 or roll < 0.5:
            return self.comparison(scope, depth)
        if roll < 0.6:
            self.tag("op:not")
            return f"not({self.condition(scope, depth - 1)})"
        if roll < 0.68:
            return self.call("bool", scope, depth)
        if roll < 0.72:
            self.tag("fn:instanceOf")
            kind = self.pick(["Integer", "Long", "Float", "Double", "Boolean", "String"])
            return f"instanceOf{kind}({self.pick(scope)[0]})"
        op = self.pick(["and", "or"])
        self.tag("op:" + op)
        return f"({self.condition(scope, depth - 1)} {op} {self.condition(scope, depth - 1)})"

    def scope(self, stream, alias=None):
        return [((f"{alias}.{n}" if alias else n), t, n) for n, t in stream.attributes]

    # ---- steps ----

    def steps(self, streams, count=None, batches=0.0, disorder=None, last=True, start=None, advance_first=False):
        """streams: those that are sent to. disorder: None, 'event' or 'attribute'."""
        now = self.pick(STARTS) if start is None else start
        steps = [{"advance": now}] if advance_first else []
        last_sent = now
        for i in range(count or self.r.randint(9, 24)):
            if i:
                now += self.pick(JUMPS) if self.chance(0.06) else self.pick(GAPS)
            if i and self.chance(0.08):
                steps.append({"advance": now})
                continue
            stream = self.pick(streams)
            at = now
            if disorder == "event" and i and self.chance(0.35):
                at = now - self.pick([50, 100, 250, 400, 500, 1000, 1500, 2500])
            if self.chance(batches):
                events, inner = [], at
                for _ in range(self.r.randint(1 if self.chance(0.1) else 2, 5)):
                    events.append({"at": inner, "data": self.row(stream, self.ts(inner, disorder))})
                    inner += self.pick([0, 0, 10, 50, 100])
                    if disorder == "event" and self.chance(0.2):
                        inner -= self.pick([20, 150, 600])
                steps.append({"send": stream.name, "batch": events})
                now = max([now] + [e["at"] for e in events])
            else:
                steps.append({"send": stream.name, "at": at, "data": self.row(stream, self.ts(at, disorder))})
            last_sent = now
        if last and self.chance(0.75):
            steps.append({"advance": max(now, last_sent) + self.pick([0, 700, 3000, 3000, 15000])})
        return steps

    def ts(self, at, disorder):
        if disorder == "attribute" and self.chance(0.35):
            return at - self.pick([100, 250, 500, 700, 1000, 2500])
        if self.spice < 0.03 and self.chance(0.1):
            return None
        return at


def disguise(g, app):
    """Layout that must not matter: comments, one line, upper-case keywords."""
    roll = g.r.random()
    if roll < 0.08:
        g.tag("syntax:comments")
        first, _, rest = app.partition(";\n")
        return f"-- generated\n{first}; /* next */\n{rest}"
    if roll < 0.2:
        return " ".join(line.strip() for line in app.splitlines())
    if roll < 0.28:
        g.tag("syntax:upper-case")
        for word in ("define stream", "from", "select", "insert", "into", "group by", "having", "limit", "partition",
                     "begin", "end", "join", "output"):
            app = app.replace(f"{word} ", f"{word.upper()} ") if " " not in word else app.replace(word, word.upper())
        return app
    return app


def identifier(r):
    return "".join(r.choice(string.ascii_lowercase) for _ in range(5))
