"""The short ways of a running app: what comes all day, and what must turn off from them.

A device's readings with values of each type, a text to group by, and a time of its own go one by one (sometimes as
arrays) into windows that keep columns, selectors whose output rows are used again, joins with tables, and behind them
into queries that keep those rows."""
from basics import Stream

KEYS = ["a", "b", "c", "null", "", None, "a", "b", "d", "e"]
NUMBERS = ["v", "w", "f", "n", "l"]
TYPES = {"k": "string", "z": "string", "v": "double", "w": "double", "f": "float", "n": "int", "l": "long", "on": "bool",
         "ts": "long"}
SPANS = ["100", "250 millisec", "500", "1 sec", "1 sec 500 millisec", "3 sec"]


def readings(g):
    """The stream: ts, k, v always; others by chance; sometimes more columns than a row shape takes."""
    names = ["k", "v", "ts"] + [n for n in ("z", "w", "f", "n", "l", "on") if g.chance(0.7)]
    wide = g.pick([0, 0, 0, 0, 4, 12, 16, 26])
    names += [f"p{i}" for i in range(wide)]
    if wide:
        g.tag("wide")
    g.r.shuffle(names)
    types = {**TYPES, **{f"p{i}": g.pick(["double", "string", "int"]) for i in range(wide)}}
    return Stream("S", [(n, types[n]) for n in names])


class Steps:
    """Values come in phases: all there, some null, all there again; so do single events and arrays."""

    def __init__(self, g, stream):
        self.g, self.stream = g, stream
        self.keys = g.r.sample(KEYS, g.pick([1, 2, 3, 5, 9]))
        self.now = g.pick([1000, 1700000000000])
        self.late = g.pick([0, 0, 0.2])
        self.nulls = 0

    def value(self, name, kind):
        g = self.g
        if name == "ts":
            return self.now - (g.pick([50, 100, 400, 1000, 3000]) if g.chance(self.late) else 0)
        if name == "k":
            return g.pick(self.keys)
        if g.chance(self.nulls):
            return None
        if kind == "string":
            return g.pick(["x", "y", "", "null", "Ä", "long text that is no short one"])
        if kind == "bool":
            return g.chance(0.5)
        if kind in ("int", "long"):
            return g.r.randint(-3, 30)
        return g.r.randint(-20, 200) / 4

    def row(self):
        return [self.value(n, t) for n, t in self.stream.attributes]

    def steps(self, count):
        g, steps = self.g, []
        while len(steps) < count:
            self.nulls = g.pick([0, 0, 0, 0, 0.1, 0.5])
            arrays = g.pick([0, 0, 0, 0.3, 1])
            gaps = g.pick([[0], [0, 10, 50], [100], [100, 300, 1000], [0, 2500]])
            for _ in range(g.pick([1, 3, 6, 10, 20])):
                self.now += g.pick(gaps)
                if g.chance(arrays):
                    events = []
                    for _ in range(g.pick([1, 2, 3, 7])):
                        events.append({"at": self.now, "data": self.row()})
                        self.now += g.pick([0, 0, 10, 100])
                    self.now = events[-1]["at"]
                    steps.append({"send": "S", "batch": events})
                else:
                    steps.append({"send": "S", "at": self.now, "data": self.row()})
        if g.chance(0.5):
            steps.append({"advance": self.now + g.pick([0, 500, 4000])})
        return steps[:count + 1]


def window(g, sliding=0.75):
    n = g.pick([0, 1, 1, 2, 2, 3, 4, 5, 8, 15, 16, 17, 18, 20, 40])
    if g.chance(sliding):
        name = g.pick(["length"] * 5 + ["externalTime"] * 4 + ["time", "timeLength", "sort"])
    else:
        name = g.pick(["lengthBatch", "lengthBatch", "timeBatch", "externalTimeBatch", "batch"])
    g.tag("window:" + name)
    span = g.pick(SPANS)
    return "#window." + {
        "length": f"length({n})", "externalTime": f"externalTime(ts, {span})", "time": f"time({span})",
        "timeLength": f"timeLength({span}, {max(n, 1)})", "sort": f"sort({max(n, 1)}, v)",
        "lengthBatch": f"lengthBatch({max(n, 1)})" if g.chance(0.8) else f"lengthBatch({max(n, 1)}, true)",
        "timeBatch": f"timeBatch({span})", "externalTimeBatch": f"externalTimeBatch(ts, {span})", "batch": "batch()"}[name]


def function(g, stream, p=""):
    """An output column that a function makes, and its type; some show another type than they declare."""
    has = [n for n, _ in stream.attributes]
    made = [("v * 2.0", "double"), ("upper(k)", "string"), ("v + v", "double"), ("eventTimestamp()", "long"),
            ("ifThenElse(v > 10.0, v, 0.0)", "double"), ("coalesce(k, 'none')", "string"), ("v > 5.0", "bool"),
            ("cast(v, 'double')", "double"), ("convert(v, 'int')", "int"), ("cast(k, 'string')", "string"),
            ("default(v, 1.5)", "double"), ("str:upper(k)", "string"), ("1", "int"), ("'t'", "string"), ("v is null", "bool"),
            ("maximum(v, 3.0)", "double"), ("instanceOfDouble(v)", "bool"), ("convert(v, 'string')", "string")]
    made = [m for m in made if "upper" not in m[0]]
    if "n" in has:
        made += [("n + 1", "int"), ("v * n", "double"), ("convert(n, 'double')", "double"), ("n / 0", "int"), ("n % 2", "int")]
    if "z" in has:
        made += [("convert(z, 'double')", "double"), ("cast(z, 'string')", "string"), ("coalesce(z, k)", "string")]
    if "l" in has:
        made += [("l * 2", "long"), ("convert(l, 'string')", "string")]
    g.tag("function")
    return g.pick(made)


def aggregate(g, stream):
    has = [n for n, t in stream.attributes if t in ("double", "float", "int", "long")]
    name = g.pick(["sum", "avg", "count", "sum", "avg", "min", "max", "sum", "avg", "count", "stdDev", "distinctCount",
                   "minForever", "countOf"])
    of = g.pick(["v", "v", "v", "v", g.pick(has)])
    kind = dict(stream.attributes)[of]
    g.tag("agg:" + name)
    if name == "count":
        return "count()", "long"
    if name == "countOf":
        return f"count({g.pick([n for n, _ in stream.attributes])})", "long"
    if g.chance(0.06):
        of = {"double": f"{of} * 2.0", "float": f"{of} + 1.0f"}.get(kind, f"{of} + 1")
    if name == "avg" or name == "stdDev":
        return f"{name}({of})", "double"
    if name == "sum":
        return f"sum({of})", "long" if kind in ("int", "long") else "double"
    if name == "distinctCount":
        return f"distinctCount({of})", "long"
    return f"{name}({of})", kind


def clause(g, stream, aggregated=0.85, clauses=0.15):
    """The select clause with all behind it, and what comes out."""
    items, out = [], []

    def add(text, kind):
        name = f"o{len(items)}"
        items.append(f"{text} as {name}")
        out.append((name, kind))

    key = g.pick(["k", "k", "k", g.pick([n for n, t in stream.attributes if t in ("string", "int", "bool")])])
    if g.chance(0.7):
        items.append("k")
        out.append(("k", "string"))
    if g.chance(aggregated):
        for _ in range(g.pick([1, 1, 1, 2, 2, 3, 5])):
            add(*aggregate(g, stream))
    for n, t in g.r.sample(stream.attributes, g.pick([0, 0, 1, 2, min(len(stream.attributes), 10), len(stream.attributes)])):
        add(n, t)
    for _ in range(g.pick([0, 0, 0, 1, 2])):
        add(*function(g, stream))
    if not items:
        add("v", "double")
    both = list(zip(items, out))
    g.r.shuffle(both)
    text = "select " + ", ".join(i for i, _ in both)
    out = [o for _, o in both]
    if g.chance(0.6):
        g.tag("group by")
        text += f" group by {key}" + (", z" if g.chance(0.08) and "z" in dict(stream.attributes) and key != "z" else "")
    numbers = [n for n, t in out if t in ("double", "long", "int", "float")]
    if g.chance(clauses) and numbers:
        g.tag("having")
        text += f" having {g.pick(numbers)} {g.pick(['>', '<', '!='])} {g.pick([0, 3, 10])}"
    if g.chance(clauses):
        g.tag("order by")
        text += f" order by {g.pick(out)[0]}{g.pick(['', ' desc'])}"
    if g.chance(clauses):
        g.tag("limit")
        text += f" limit {g.pick([1, 2, 3])}" + (f" offset {g.pick([1, 2])}" if g.chance(0.3) else "")
    return text, out


def keepers(g, source, number):
    """Queries that hold rows of source for later."""
    a = [n for n, _ in source.attributes]
    numbers = [n for n, t in source.attributes if t in ("double", "long", "int", "float")]
    key, texts = g.pick(a), []
    for kind in g.r.sample(["length", "lengthBatch", "pattern", "sequence", "join", "table", "named", "last", "chain", "not",
                            "snapshot"], g.pick([0, 1, 1, 2, 3])):
        out, name = f"K{number}{kind}", f"@info(name='k{number}{kind}')\n"
        g.tag("keeps:" + kind)
        s = source.name
        if kind == "length":
            texts.append(f"{name}from {s}#window.length({g.pick([1, 2, 5])})\nselect *\ninsert {g.pick(['expired', 'all'])} events into {out};")
        elif kind == "lengthBatch":
            texts.append(f"{name}from {s}#window.lengthBatch({g.pick([2, 3])})\nselect *\ninsert into {out};")
        elif kind == "pattern":
            texts.append(f"{name}from every e1={s} -> e2={s}\nselect e1.{key} as x, e2.{key} as y, e1.{a[0]} as q\ninsert into {out};")
        elif kind == "sequence":
            texts.append(f"{name}from every e1={s}<2:3>, e2={s}\nselect e1[0].{key} as x, e1[1].{key} as y, e2.{a[-1]} as q\ninsert into {out};")
        elif kind == "join":
            w = g.pick([1, 2, 4])
            texts.append(f"{name}from {s}#window.length({w}) as a join S#window.length(2) as b on a.{key} == a.{key}\n"
                         f"select a.{a[0]} as x, a.{a[-1]} as y, b.k as q\ninsert into {out};")
        elif kind == "table":
            texts.insert(0, f"define table T{number} {source.declaration()};")
            texts.append(f"from {s} insert into T{number};")
            texts.append(f"{name}from S join T{number} as t\nselect t.{a[0]} as x, t.{a[-1]} as y\ninsert into {out};")
        elif kind == "named":
            texts.insert(0, f"define window W{number} {source.declaration()} length({g.pick([1, 3])}) output all events;")
            texts.append(f"from {s} insert into W{number};")
            texts.append(f"{name}from W{number} select * insert all events into {out};")
        elif kind == "last":
            texts.append(f"{name}from {s} select * output {g.pick(['last', 'first', 'all'])} every {g.pick([2, 3])} events insert into {out};")
        elif kind == "snapshot":
            texts.append(f"{name}from {s}#window.length(2) select {a[0]}, {a[-1]} as y output snapshot every 500 millisec insert into {out};")
        elif kind == "not":
            texts.append(f"{name}from every e1={s} -> not S[v > 45.0] for 300 millisec\nselect e1.{a[0]} as x, e1.{a[-1]} as y\ninsert into {out};")
        elif numbers:
            of = g.pick(numbers)
            texts.append(f"{name}from {s}#window.length({g.pick([2, 5, 17])})\nselect {a[0]}, avg({of}) as m, sum({of}) as t"
                         f"{' group by ' + a[0] if g.chance(0.5) else ''}\ninsert into {out};")
    return texts


def define(*things):
    return "\n".join(things) + "\n"


def fast(g):
    s = readings(g)
    texts = [f"define stream S {s.declaration()};"]
    source = s
    if g.chance(0.2):  # columns of another type than they declare
        g.tag("odd-types")
        items = [n if t not in ("double", "string") or g.chance(0.5) else
                 {"double": f"cast({g.pick([x for x, y in s.attributes if y in ('int', 'double', 'float', 'long')])}, 'double') as {n}",
                  "string": f"convert({n}, 'string') as {n}"}[t] for n, t in s.attributes]
        texts.append(f"from S select {', '.join(items)} insert into S2;")
        source = Stream("S2", s.attributes)
    inner = []
    tail = []
    partitioned = g.chance(0.25)
    for i in range(g.pick([1, 1, 2, 3])):
        text, out = clause(g, source)
        kinds = g.pick(["", "", "", "", "all events ", "expired events ", "current events "])
        name = "" if partitioned and g.chance(0.5) else f"@info(name='q{i}')\n"
        filters = f"[{g.pick(['v > 0.0', 'v is null', 'not (k is null)', 'v < 30.0'])}]" if g.chance(0.2) else ""
        behind = g.pick(["[v > 2.0]", "[not (v is null)]"]) if g.chance(0.08) else ""
        w = window(g) if g.chance(0.85) else ""
        inner.append(f"{name}from {source.name}{filters}{w}{behind}\n{text}\ninsert {kinds}into Out{i};")
        tail += keepers(g, Stream(f"Out{i}", out), i)
    defined = [t for t in tail if t.startswith("define")]
    texts[1:1] = defined
    tail = [t for t in tail if not t.startswith("define")]
    if partitioned:
        g.tag("partition")
        by = g.pick(["k", "k", g.pick([n for n, t in source.attributes if t in ("string", "int", "bool")])])
        purge = f"@purge(enable='true', interval='1 sec', idle.period='{g.pick(['1 sec', '2 sec'])}')\n"
        inner = [(purge if g.chance(0.4) else "") + f"partition with ({by} of {source.name})\nbegin\n" + "\n".join(inner) + "\nend;"]
    feedback = []
    if g.chance(0.15):
        g.tag("feedback")
        items = [f"v + 7.0 as v" if n == "v" else n for n, _ in s.attributes]
        feedback = [f"from S[v < 3.0]\nselect {', '.join(items)}\ninsert into S;"]
        if g.chance(0.5):
            items = [f"avg(v) + 1000.0 as v" if n == "v" else n for n, _ in s.attributes]
            feedback = [f"from S[v < 900.0]#window.length({g.pick([2, 5])})\nselect {', '.join(items)}{g.pick(['', ' group by k'])}\ninsert into S;"]
        if g.chance(0.5):
            feedback, inner = feedback + inner, []
    app = define(*texts, *inner, *feedback, *tail)
    if g.chance(0.1):
        g.tag("app:playback")
        app = "@app:playback\n" + app
    return app, Steps(g, s).steps(g.pick([12, 25, 25, 50])), None


def lookups(g):
    """Streams and tables: by a key that is a text or a number, by an index, by a scan; rows that are not there."""
    g.tag("lookup")
    by = g.pick(["k", "k", "n", "l", "kn"])
    notes = {"k": "@PrimaryKey('k')\n", "n": "@PrimaryKey('n')\n", "l": "@PrimaryKey('l')\n", "kn": "@PrimaryKey('k', 'n')\n"}[by]
    kind = g.pick(["key", "key", "key", "index", "none"])
    if kind == "index" and by != "kn":
        notes = notes.replace("PrimaryKey", "Index")
    elif kind == "none":
        notes = ""
    columns = [("k", "string"), ("n", "int"), ("l", "long"), ("v", "double"), ("z", "string")]
    wide = [(f"p{i}", g.pick(["double", "string"])) for i in range(g.pick([0, 0, 6, 16]))]
    table = columns + wide
    g.r.shuffle(table)
    s = Stream("S", g.r.sample(columns, 5) + [("ts", "long")])
    put = Stream("Put", table)
    on = " and ".join(g.pick([f"s.{n} == t.{n}", f"t.{n} == s.{n}"]) for n in by)
    if g.chance(0.15):
        on += g.pick([" and s.v > t.v", " and t.v > 5.0", " or s.v == t.v"])
    texts = [f"define stream S {s.declaration()};", f"define stream Put {put.declaration()};", "define stream Gone (k string, n int, l long);",
             f"{notes}define table T {put.declaration()};"]
    change = g.pick(["insert into T;", "update or insert into T on " + " and ".join(f"T.{n} == {n}" for n in by) + ";"])
    texts.append("from Put " + (f"select * {change}" if "update" in change else change))
    if g.chance(0.6):
        texts.append("from Gone delete T on " + " and ".join(f"T.{n} == {n}" for n in by) + ";")
    if g.chance(0.3):
        texts.append("from S[v > 30.0] select k, n, l, v update T set T.v = v on " + " and ".join(f"T.{n} == {n}" for n in by) + ";")
    for i in range(g.pick([1, 1, 2])):
        sides = ["S" + g.pick(["", "", "", "[v > 0.0]", "#window.length(2)", "#window.externalTime(ts, 1 sec)"]) + " as s", "T as t"]
        join = g.pick(["join", "join", "left outer join", "right outer join", "full outer join"])
        if g.chance(0.3):
            sides.reverse()
        items, out = [], []
        for alias, columns_of in (("s", s.attributes), ("t", table)):
            for n, t in g.r.sample(columns_of, min(len(columns_of), g.pick([0, 1, 2, 3, 30]))):
                items.append(f"{alias}.{n} as {alias}{n}")
                out.append((f"{alias}{n}", t))
        if g.chance(0.3):
            items.append(g.pick(["s.v + t.v as o", "coalesce(t.v, s.v) as o", "t.v * 2.0 as o", "s.v as o"]))
            out.append(("o", "double"))
        if g.chance(0.15):
            items.append(g.pick(["sum(s.v) as a", "avg(t.v) as a", "max(t.v) as a"]))
            out.append(("a", "double"))
        if not items:
            items, out = ["t.v as o"], [("o", "double")]
        both = list(zip(items, out))
        g.r.shuffle(both)
        text = "select " + ", ".join(x for x, _ in both) + (g.pick([" group by s.k", " group by t.k"]) if g.chance(0.15) else "")
        kinds = g.pick(["", "", "", "all events ", "expired events "])
        texts.append(f"@info(name='q{i}')\nfrom {sides[0]} {join} {sides[1]} on {on}\n{text}\ninsert {kinds}into Out{i};")
        texts += keepers(g, Stream(f"Out{i}", [o for _, o in both]), i)
    texts.sort(key=lambda t: not (t.startswith("define") or t.startswith("@Pr") or t.startswith("@In")))
    makers = {"S": Steps(g, s), "Put": Steps(g, put), "Gone": Steps(g, Stream("Gone", [("k", "string"), ("n", "int"), ("l", "long")]))}
    now, steps = makers["S"].now, []
    few = g.pick([3, 6, 30])
    for m in makers.values():
        m.keys = [x for x in KEYS if x is not None or g.chance(0.3)]
        m.nulls = g.pick([0, 0, 0, 0.05])
    for _ in range(g.pick([15, 30, 50])):
        name = g.pick(["S", "S", "S", "Put", "Put", "Gone"])
        m = makers[name]
        m.now = now

        def row():
            return [g.r.randint(0, few) if n in ("n", "l") and x is not None else x for (n, _), x in zip(m.stream.attributes, m.row())]
        if g.chance(0.15):
            steps.append({"send": name, "batch": [{"at": now, "data": row()} for _ in range(g.pick([2, 3, 5]))]})
        else:
            steps.append({"send": name, "at": now, "data": row()})
        now += g.pick([0, 50, 100, 500])
    return define(*texts), steps, None


AREAS = {"fast": lambda g: lookups(g) if g.chance(0.25) else fast(g)}
