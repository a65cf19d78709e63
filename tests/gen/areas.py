"""One function an area: gen -> (app, steps, more members of the case or None)."""
from basics import NUMERIC, POOL, WORDS, Stream, disguise
import queries as q


def mode(g, app, p=0.12):
    if g.chance(p):
        g.tag("app:playback")
        return "@app:playback\n" + app
    return app


def define(*streams):
    return "\n".join(f"define stream {s.name} {s.declaration()};" for s in streams) + "\n"


def finish(g, streams, texts, steps, p_playback=0.12):
    app = define(*streams) + "\n".join(texts)
    return mode(g, disguise(g, app), p_playback) if not app.startswith("--") else app, steps, None


def expr(g):
    s = g.stream(count=(4, 7))
    texts, used = [], {s.name}
    if g.chance(0.1):
        g.tag("syntax:odd-name")
        old = s.name
        s = Stream(g.pick(["events", "`order`", "last", "first", "`group`", "Every", "`a b`"]), s.attributes)
        if "`" in s.name and " " in s.name:
            s = Stream(old, s.attributes)
    scope = g.scope(s, s.name) if g.chance(0.1) and "`" not in s.name else g.scope(s)
    for i in range(1, g.r.randint(1, 3) + 1):
        items = ["deviceId"] if g.chance(0.5) else []
        for k in range(g.r.randint(1, 6)):
            kind = g.pick(list(POOL))
            g.tag("expr:" + kind)
            roll = g.r.random()
            if roll < 0.06:
                text = g.pick(["eventTimestamp()", "currentTimeMillis()", "instanceOfString(UUID())",
                               f"sizeOfSet(createSet({g.expression(g.pick(['int', 'string', 'double']), scope, 1)}))",
                               f"createSet({g.pick(scope)[0]})"])
            else:
                text = g.expression(kind, scope, g.pick([1, 2, 2, 3]))
            items.append(f"{text} as x{k}")
        from_text = s.name + q.filters(g, scope, 0.5, g.pick([1, 2, 3]))
        if g.chance(0.06) and len(s.of("double")) >= 2:
            g.tag("streamfn:pol2Cart")
            from_text += "#pol2Cart(" + ", ".join(g.pick(s.of("double")) for _ in range(2)) + ")"
            items += ["x as px", "y as py"]
        texts.append(f"@info(name='q{i}')\nfrom {from_text}\nselect {', '.join(items)}\ninsert into Out{i};")
    steps = g.steps([Stream(s.name.strip("`"), s.attributes)], g.r.randint(8, 16), 0.05)
    return finish(g, [s], texts, steps, 0.05)


def select(g):
    s = g.stream()
    texts = []
    for i in range(1, g.r.randint(1, 3) + 1):
        texts.append(q.simple(g, i, s, f"Out{i}", ["lengthBatch", "lengthBatch", "timeBatch", "batch", "length", "time"],
                              0.6, having=0.4, group=0.6, star=0.07)[0])
    if g.chance(0.15):
        g.tag("agg:unionSet")
        n, of = len(texts) + 1, g.pick([a for a, t in s.attributes])
        window = g.pick(["", "#window.lengthBatch(3)", "#window.length(2)", "#window.time(1 sec)", "#window.batch()"])
        texts.append(f"@info(name='q{n}')\nfrom {s.name}\nselect createSet({of}) as ds\ninsert into Sets;")
        clause = g.pick(["select sizeOfSet(unionSet(ds)) as n", "select unionSet(ds) as u",
                         "select ds, sizeOfSet(unionSet(ds)) as n group by ds", "select ds order by ds",
                         "select ds, unionSet(ds) as u group by ds order by ds desc"])
        texts.append(f"@info(name='q{n + 1}')\nfrom Sets{window}\n{clause}\n{q.insert(g, 'SetOut')}")
    return finish(g, [s], texts, g.steps([s], None, g.pick([0, 0, 0.2, 0.4])), 0.08)


def chained(g, names, batches):
    s = g.stream(with_ts=any(n.startswith("external") for n in names) and g.chance(0.5))
    texts, at = [], s
    for i in range(1, g.pick([1, 1, 2, 2, 3]) + 1):
        if i > 1 and g.chance(0.6):
            text, at = q.simple(g, i, at, f"Out{i}", names if g.chance(0.7) else None, group=0.4)
            g.tag("chain")
        else:
            text, at = q.simple(g, i, s, f"Out{i}", names, 0.95, group=0.4)
        texts.append(text)
        if any(n in ("createSet",) for n, _ in at.attributes):
            at = s
    return finish(g, [s], texts, g.steps([s], None, batches), 0.2)


def windows(g):
    return chained(g, [g.pick(q.ALL) for _ in range(3)], g.pick([0, 0, 0, 0.3]))


def batchwin(g):
    return chained(g, [g.pick(q.BATCH) for _ in range(2)], g.pick([0, 0.3, 0.5]))


TABLE_FEED = {
    "pk": """@info(name='q1')
from {feed}
select *
update or insert into {table}
    set {sets}
    on {table}.deviceId == deviceId;""",
    "list": "@info(name='q1')\nfrom {feed}\nselect *\ninsert into {table};",
}


def joins(g):
    level = [("level", "int")]
    a = g.stream(need=level, count=(1, 3), with_ts=g.chance(0.15))
    roll = g.r.random()
    if roll < 0.12:
        g.tag("join:self")
        text, _ = q.join(g, 1, a, a, "Out1", group=0.3, having=0.1)
        return finish(g, [a], [text], g.steps([a], g.r.randint(9, 16), g.pick([0, 0, 0.3])), 0.1)
    b = g.stream(need=level if g.chance(0.8) else (), count=(1, 3))
    while b.name == a.name:
        b = g.stream(need=level, count=(1, 3))
    batches = g.pick([0, 0, 0.25])
    if roll < 0.65:
        texts = [q.join(g, i, a, b, f"Out{i}", group=0.3, having=0.15)[0] for i in range(1, g.pick([1, 1, 1, 2]) + 1)]
        if len(texts) > 1:
            g.tag("join:multi")
        return finish(g, [a, b], texts, g.steps([a, b], None, batches), 0.1)
    if roll < 0.82:
        g.tag("join:window")
        w = Stream("RecentW", b.attributes)
        call = q.window(g, w, ["length", "time", "lengthBatch", "timeBatch", "sort", "batch", "timeLength", "expression",
                               "session", "delay"])
        output = g.pick(["", " output all events", " output current events", " output expired events"])
        head = define(a, b) + f"define window RecentW {w.declaration()} {call}{output};\n"
        feed = f"@info(name='q1')\nfrom {b.name}\nselect *\ninsert into RecentW;"
        text = named_join(g, 2, a, w, "Out1")
        return mode(g, disguise(g, head + feed + "\n" + text)), g.steps([a, b], None, batches), None
    kind = g.pick(["pk", "list"])
    g.tag("join:table", "join:" + kind)
    t = Stream("DeviceTable", b.attributes)
    sets = ", ".join(f"DeviceTable.{n} = {n}" for n, _ in t.attributes)
    key = "@PrimaryKey('deviceId')\n" if kind == "pk" else ""
    head = define(a, b) + f"{key}define table DeviceTable {t.declaration()};\n"
    feed = TABLE_FEED[kind].format(feed=b.name, table="DeviceTable", sets=sets)
    text = named_join(g, 2, a, t, "Out1")
    return mode(g, disguise(g, head + feed + "\n" + text)), g.steps([a, b], None, batches), None


def named_join(g, number, stream, other, target, **options):
    """A join of a stream with a table or named window at either side."""
    options = {"group": 0.3, "having": 0.15, **options}
    if g.chance(0.2):
        return q.join(g, number, other, stream, target, None, True, uni=0.0, **options)[0]
    return q.join(g, number, stream, other, target, g.chance(0.7), None, uni=0.0, **options)[0]


def ratelimit(g):
    s = g.stream()
    texts = []
    names = ["length", "lengthBatch", "sort", "time", "timeBatch", "timeLength", "batch", "externalTime", "session"]
    for i in range(1, g.pick([1, 1, 1, 2]) + 1):
        texts.append(q.simple(g, i, s, f"Out{i}", names, 0.5, 1.0, group=0.6, having=0.15)[0])
    return finish(g, [s], texts, g.steps([s], None, g.pick([0, 0, 0.2, 0.4])), 0.08)


def namedwin(g):
    s = g.stream(need=[("level", "int")], count=(1, 2), with_ts=g.chance(0.25))
    w = Stream(g.pick(["RecentWindow", "SharedWindow", "LastReadings"]), s.attributes)
    streams, sent = [s], [s]
    output = g.pick(["", "", " output all events", " output current events", " output expired events"])
    g.tag("namedwin:output" + (output or ":default"))
    call = q.window(g, w, [n for n in q.ALL if n != "session"] + ["session"])
    feed = g.pick(["select *\n", "", "select " + ", ".join(n for n, _ in s.attributes) + "\n"])
    texts = [f"@info(name='q1')\nfrom {s.name}{q.filters(g, g.scope(s), 0.2)}\n{feed}insert into {w.name};"]
    if g.chance(0.15):
        g.tag("namedwin:two-writers")
        other = Stream(g.pick([n for n in ("ValveEvents", "TankStream") if n != s.name]), s.attributes)
        streams.append(other)
        sent.append(other)
        texts.append(f"@info(name='q2')\nfrom {other.name}\nselect *\ninsert into {w.name};")
    n = len(texts) + 1
    for i in range(g.pick([1, 1, 2])):
        text, _ = q.simple(g, n + i, w, f"Out{i + 1}", None, group=0.45, having=0.15)
        texts.append(text)
    if g.chance(0.3):
        g.tag("namedwin:join")
        b = Stream("ProbeStream", [("deviceId", "string"), ("level", "int")])
        streams.append(b)
        sent.append(b)
        texts.append(named_join(g, len(texts) + 1, b, w, "JoinOut"))
    head = define(*streams) + f"define window {w.name} {w.declaration()} {call}{output};\n"
    steps = g.steps(sent, None, g.pick([0, 0, 0.2]))
    return mode(g, disguise(g, head + "\n".join(texts))), steps, None


def disorder(g):
    where = g.pick(["attribute", "event"])
    g.tag("disorder:" + where)
    s = g.stream(with_ts=where == "attribute" or g.chance(0.2))
    names = ["externalTime", "externalTimeBatch"] if where == "attribute" else \
        ["time", "timeBatch", "timeLength", "session", "delay", "length", "lengthBatch", "expression", "batch", "sort",
         "expressionBatch", "cron"]
    texts = []
    for i in range(1, g.pick([1, 1, 2]) + 1):
        texts.append(q.simple(g, i, s, f"Out{i}", names, 1.0, 0.1 if where == "event" else 0, group=0.35)[0])
        if g.chance(0.15):
            texts[-1] = texts[-1].replace("\nselect ", "\nselect eventTimestamp() as et, ", 1) \
                if "select *" not in texts[-1] else texts[-1]
    steps = g.steps([s], None, g.pick([0, 0, 0.25]) if where == "attribute" else 0, where)
    return finish(g, [s], texts, steps, 0.2)


RANGES = {
    "level": ["level < 4 as 'x' or level >= 2 as 'y'", "level < 3 as 'low' or level >= 3 as 'high'",
              "level <= 1 as 'low' or level > 1 and level < 5 as 'mid' or level >= 5 as 'high'", "level >= 2 as 'some'",
              "level < 2 as 'a' or level > 4 as 'a' or level is null as 'none'"],
    "temp": ["temp < 18.5 as 'cold' or temp >= 18.5 as 'warm'"],
}


def partition_key(g, s):
    roll = g.r.random()
    if roll < 0.55:
        g.tag("partition:value")
        return g.pick(["deviceId", "deviceId", "deviceId"] + [n for n, t in s.attributes if t != "double"])
    if roll < 0.65:
        g.tag("partition:expression")
        return g.pick(["level % 2", "ifThenElse(level > 3, 'hi', 'lo')", "convert(level, 'string')", "level > 3"])
    g.tag("partition:range")
    ranges = RANGES["level"] + (RANGES["temp"] if ("temp", "double") in s.attributes else [])
    return g.pick(ranges)


def partitions(g):
    s = g.stream(need=[("level", "int"), ("temp", "double")], count=(0, 2))
    streams = [s]
    keys = [f"{partition_key(g, s)} of {s.name}"]
    if g.chance(0.4):
        b = g.stream(need=[("level", "int")], count=(0, 2))
        while b.name == s.name:
            b = g.stream(need=[("level", "int")], count=(0, 2))
        streams.append(b)
        g.tag("partition:two-streams")
        if g.chance(0.8):
            keys.append(f"{partition_key(g, b)} of {b.name}")
    names = ["length", "time", "lengthBatch", "session", "sort", "timeLength", "batch", "delay", "expression",
             "expressionBatch", "timeBatch", "externalTime", "frequent"]
    inside, inner, outer = [], [], []
    for i in range(1, g.pick([1, 1, 2, 3]) + 1):
        roll = g.r.random()
        if inner and roll < 0.5:
            g.tag("partition:inner-read")
            text, _ = q.simple(g, i, g.pick(inner), f"Out{i}", names, 0.5)
        elif roll < 0.25:
            g.tag("partition:inner")
            text, made = q.simple(g, i, g.pick(streams), f"#Out{i}", names, 0.5, kinds=("", "", "all "))
            inner.append(Stream(f"#Out{i}", made.attributes))
        elif roll < 0.45:
            g.tag("partition:join")
            text, _ = q.join(g, i, g.pick(streams), g.pick(streams), f"Out{i}", windows=("length", "time"), group=0.2)
        elif roll < 0.6:
            text, _ = q.simple(g, i, g.pick(streams), f"Out{i}", names, 0.3, 1.0)
        else:
            text, _ = q.simple(g, i, g.pick(streams), f"Out{i}", names, 0.75)
        inside.append("    " + text.replace("\n", "\n    "))
    if g.chance(0.25):
        g.tag("partition:outer-stream")
        outer.append(q.simple(g, 9, s, "Out9", names, 0.4)[0])
    body = f"partition with ({', '.join(keys)})\nbegin\n" + "\n".join(inside) + "\nend;"
    return finish(g, streams, [body] + outer, g.steps(streams, None, g.pick([0, 0, 0.3])), 0.06)


def triggers(g):
    s = g.stream(need=[("level", "int")], count=(0, 2))
    every = lambda: g.pick(["'start'", "every 500 millisec", "every 700 millisec", "every 1 sec", "every 2 sec",
                            "every 5 sec", "every 2000 milliseconds", "'*/1 * * * * ?'", "'*/5 * * * * ?'",
                            "'0 * * * * ?'", "'10,20,30 * * * * ?'", "'0/2 * * ? * *'"])
    ticks = [Stream("Ticker", [("triggered_time", "long")])]
    head = f"define trigger Ticker at {every()};\n"
    if g.chance(0.5):
        ticks.append(Stream("EverySecond", [("triggered_time", "long")]))
        head += f"define trigger EverySecond at {every()};\n"
    head += define(s)
    texts, table = [], False
    for i in range(1, g.pick([1, 2, 2, 3]) + 1):
        t = g.pick(ticks)
        roll = g.r.random()
        if roll < 0.35:
            text, _ = q.simple(g, i, t, f"Out{i}", ["length", "lengthBatch", "time", "timeBatch"], 0.5, group=0.15)
        elif roll < 0.65:
            g.tag("trigger:join")
            text, _ = q.join(g, i, t, s, f"Out{i}", None, True, windows=("length", "lengthBatch", "time", "timeBatch"),
                             uni=0.1, on=0.15, group=0.2)
        elif roll < 0.75:
            g.tag("trigger:pattern")
            text = f"@info(name='q{i}')\nfrom every e1={t.name} -> e2={s.name}[{g.comparison(g.scope(s))}]\n" \
                f"select e1.triggered_time as t, e2.level as level\ninsert into Out{i};"
        elif roll < 0.85 and not table:
            table = True
            g.tag("trigger:table")
            head += "define table DeviceTable (deviceId string, level int);\n"
            text = f"@info(name='q{i}')\nfrom {s.name}\nselect deviceId, level\ninsert into DeviceTable;\n" \
                f"@info(name='q{i}d')\nfrom {t.name}\nselect triggered_time\ndelete DeviceTable on " \
                f"DeviceTable.level < {g.pick([2, 4])};\n@info(name='q{i}j')\nfrom {t.name} as t join DeviceTable as d\n" \
                f"select t.triggered_time as at, d.deviceId, d.level\ninsert into Out{i};"
        else:
            text, _ = q.simple(g, i, s, f"Out{i}", ["length", "lengthBatch", "time"], 0.6)
        texts.append(text)
    steps = g.steps([s], g.r.randint(8, 15), 0.05, advance_first=True)
    return mode(g, head + "\n".join(texts), 0.1), steps, None


AREAS = {f.__name__: f for f in (expr, select, windows, batchwin, joins, ratelimit, namedwin, disorder, partitions,
                                 triggers)}
