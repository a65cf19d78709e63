"""Queries: windows in all their parameter forms, select clauses, rate limits, joins."""
from basics import DURATIONS, NUMERIC, Stream

AGGREGATES = ["sum", "avg", "min", "max", "count", "distinctCount", "stdDev", "minForever", "maxForever", "and", "or"]
SLIDING = ["length", "time", "timeLength", "externalTime", "sort", "delay", "frequent", "lossyFrequent", "expression",
           "session"]
BATCH = ["lengthBatch", "timeBatch", "externalTimeBatch", "batch", "cron", "expressionBatch"]
ALL = SLIDING + BATCH


def result_type(aggregate, kind):
    if aggregate in ("count", "distinctCount"):
        return "long"
    if aggregate in ("and", "or"):
        return "bool"
    if aggregate in ("avg", "stdDev"):
        return "double"
    if aggregate == "sum":
        return "long" if kind in ("int", "long") else "double"
    return kind


def window(g, stream, names):
    """The call's text, without #window., or None when the stream lacks what all of names need."""
    name = g.pick(names)
    g.tag("window:" + name)
    duration = g.pick(DURATIONS)
    count = str(g.pick([1, 2, 2, 3, 3, 4, 5]))
    if g.chance(0.04):
        count = g.pick(["0", "100"])
    flag = lambda: g.pick(["true", "false", "true"])
    strings, longs = stream.of("string"), stream.of("long")
    if name == "length":
        return f"length({count})"
    if name == "time" or name == "delay":
        return f"{name}({duration})"
    if name == "timeLength":
        return f"timeLength({duration}, {count})"
    if name == "lengthBatch":
        return f"lengthBatch({count}, {flag()})" if g.chance(0.4) else f"lengthBatch({count})"
    if name == "timeBatch":
        start = g.pick(["0", "100", "250L", "1 sec", "700", "5000"])
        return g.pick([f"timeBatch({duration})", f"timeBatch({duration}, {start})", f"timeBatch({duration}, {flag()})",
                       f"timeBatch({duration}, {start}, {flag()})"])
    if name == "externalTime" and "ts" in longs:
        return f"externalTime(ts, {duration})"
    if name == "externalTimeBatch" and "ts" in longs:
        args = ["ts", duration]
        more = g.r.randint(0, 3)
        args += [g.pick(["0", "1 sec", "100", "250L", "ts"]), g.pick(["0", "500", "2 sec", "500 milliseconds"]),
                 flag()][:more]
        return f"externalTimeBatch({', '.join(args)})"
    if name == "batch":
        return g.pick(["batch()", "batch()", f"batch({count})"])
    if name == "cron":
        return "cron('%s')" % g.pick(["*/2 * * * * ?", "*/5 * * * * ?", "*/1 * * * * ?", "0/3 * * ? * *",
                                      "10,20,30 * * * * ?"])
    if name == "session":
        gap = g.pick(["2 sec", "1500L", "800L", "400 milliseconds", "1 second"])
        if g.chance(0.4) or not strings:
            return f"session({gap})"
        latency = g.pick(["100 milliseconds", "200 millisec", "300L", "0L", "400L"])
        return f"session({gap}, {g.pick(strings)}" + (f", {latency})" if g.chance(0.5) else ")")
    if name == "sort":
        by = [n for n, t in stream.attributes if t != "bool"]
        by = g.r.sample(by, min(len(by), g.pick([1, 1, 2])))
        g.never_null.update(by)
        if len(by) == 1 and g.chance(0.3):
            return f"sort({count}, {by[0]})"
        return f"sort({count}, " + ", ".join(f"{a}, '{g.pick(['asc', 'desc'])}'" for a in by) + ")"
    if name == "frequent":
        return f"frequent({count}, {g.pick(strings)})" if g.chance(0.7) and strings else f"frequent({count})"
    if name == "lossyFrequent":
        support, error = g.pick(["0.1", "0.2", "0.3", "0.5"]), g.pick(["0.1", "0.05", "0.01", "0.2"])
        key = f", {g.pick(strings)}" if g.chance(0.7) and strings else ""
        return f"lossyFrequent({support}, {error}{key})"
    if name in ("expression", "expressionBatch"):
        text = window_expression(g, stream)
        more = ""
        if name == "expressionBatch":
            more = g.pick(["", "", f", {flag()}", f", {flag()}, {flag()}"])
        return f"{name}('{text}'{more})"
    return f"length({count})"


def window_expression(g, stream):
    numbers, strings = stream.of(*NUMERIC), stream.of("string")
    choices = [f"count() <= {g.pick([1, 2, 3, 4])}", f"count() < {g.pick([2, 3, 5])}",
               f"eventTimestamp(last) - eventTimestamp(first) < {g.pick([100, 250, 500, 1000])}",
               f"eventTimestamp(last) - eventTimestamp(first) <= {g.pick([250, 500])} and count() < 4"]
    if numbers:
        n = g.pick(numbers)
        choices += [f"sum({n}) < {g.pick([5, 10, 25, 60])}", f"last.{n} - first.{n} < {g.pick([2, 5])}",
                    f"last.{n} >= first.{n}", f"{n} > 0 and sum({n}) < 30", f"max({n}) - min({n}) < 6",
                    f"avg({n}) < 12", f"not({n} is null) and count() < 4"]
    if strings:
        choices += [f"last.{g.pick(strings)} == first.{g.pick(strings)}", f"distinctCount({g.pick(strings)}) < 3"]
    return g.pick(choices)


def aggregate(g, scope):
    """(text, type, name) of an aggregator call, or None."""
    name = g.pick(AGGREGATES)
    if name == "count":
        text = "count()" if g.chance(0.8) else f"count({g.pick(scope)[0]})"
        return text, "long", name
    kinds = {"and": ("bool",), "or": ("bool",), "distinctCount": NUMERIC + ("string",)}.get(name, NUMERIC)
    argument = g.attribute(scope, *kinds)
    if not argument:
        return None
    kind = next(t for text, t, _ in scope if text == argument)
    if name in ("and", "or"):
        g.never_null.update(n for text, _, n in scope if text == argument)
    if kind in NUMERIC and g.chance(0.1):
        argument = g.expression(kind, scope, 2)
    g.tag("agg:" + name)
    return f"{name}({argument})", result_type(name, kind), name


def select(g, scope, aggregated=0.6, star=0.1, group=0.4, clauses=True, having=0.2, plain=None):
    """Text of the select clause with all behind it, and the output attributes [(name, type)]; None: select *."""
    if g.chance(star):
        g.tag("select:*")
        text = "" if g.chance(0.2) else "select *"
        names = [(n, t) for _, t, n in scope]
        return text + (tail(g, names, having) if text and clauses else ""), names
    out, items, used = [], [], set()

    def add(text, name, kind):
        base, i = name, 2
        while name in used:
            name, i = f"{base}{i}", i + 1
        used.add(name)
        items.append(text if text == name else f"{text} as {name}")
        out.append((name, kind))

    if g.chance(aggregated):
        g.tag("select:aggregate")
        for _ in range(g.r.randint(1, 3)):
            made = aggregate(g, scope)
            if made:
                text, kind, name = made
                if kind in NUMERIC and g.chance(0.1):
                    text, g_tag = f"{text} * 2", g.tag("agg:in-expression")
                    kind = {"int": "int", "long": "long", "float": "float", "double": "double"}[kind]
                add(text, name + "V", kind)
    for text, kind, name in g.r.sample(scope, g.r.randint(0 if items else 1, min(3, len(scope)))):
        add(text, name, kind)
    if g.chance(0.2):
        kind = g.pick(["int", "long", "float", "double", "bool", "string"])
        add(g.expression(kind, scope, 2), "x", kind)
    g.r.shuffle(items)
    order = {i.split(" as ")[-1].split(".")[-1]: n for n, i in enumerate(items)}
    out.sort(key=lambda o: order.get(o[0], 0))
    text = "select " + ", ".join(items)
    if g.chance(group):
        keys = g.r.sample([s for s in scope if s[1] in ("string", "bool", "int")] or scope, 1)
        more = [s for s in scope if s[1] in ("string", "bool", "int", "long", "double") and s not in keys]
        if more and g.chance(0.25):
            keys.append(g.pick(more))
        g.tag(f"group by:{len(keys)}")
        text += " group by " + ", ".join(k[0] for k in keys)
    if clauses:
        text += tail(g, out, having)
    return text, out


def tail(g, out, having=0.2, order=0.25, limit=0.2):
    text = ""
    names = [(n, t, n) for n, t in out]
    if g.chance(having):
        made = having_condition(g, names)
        if made:
            g.tag("having")
            text += f" having {made}"
    if g.chance(order):
        by = g.r.sample([n for n, t in out], min(len(out), g.pick([1, 1, 2])))
        g.tag("order by")
        text += " order by " + ", ".join(n + g.pick(["", " asc", " desc", " DESC"]) for n in by)
    if g.chance(limit):
        g.tag("limit")
        text += f" limit {g.pick([1, 2, 3, 4, 0 if g.chance(0.1) else 1])}"
    if g.chance(limit / 2):
        g.tag("offset")
        text += f" offset {g.pick([1, 1, 2])}"
    return text


def having_condition(g, names):
    numbers = [n for n, t, _ in names if t in NUMERIC]
    if numbers and g.chance(0.06):  # its state is no group's, and no batch resets it
        g.tag("having:aggregate")
        n = g.pick(numbers)
        return g.pick([f"sum({n}) > {g.pick([2, 5, 20])}", f"max({n}) == {n}", f"avg({n}) < {g.pick([3, 10])}", "count() > 3"])
    for _ in range(5):
        made = g.comparison(names)
        if " " in made:  # a bare attribute is refused
            return made
    return None


def insert(g, target, kinds=("", "", "all ", "all ", "expired ", "current ")):
    kind = g.pick(list(kinds))
    g.tag("insert:" + (kind.strip() or "default"))
    return f"insert {kind}events into {target};" if kind else f"insert into {target};"


def filters(g, scope, p=0.3, depth=1):
    if not g.chance(p):
        return ""
    g.tag("filter:pre")
    return f"[{g.condition(scope, depth)}]" + (f"[{g.condition(scope, 1)}]" if g.chance(0.1) else "")


def source(g, stream, names, pre=0.35, post=0.15):
    """from-clause of one stream; names: windows to choose from, or None."""
    scope = g.scope(stream)
    text = stream.name + filters(g, scope, pre)
    if names:
        text += "#window." + window(g, stream, names)
        if g.chance(post):
            g.tag("filter:post-window")
            text += f"[{g.condition(scope, 1)}]"
    return text


def rate(g, snapshot=0.4):
    every = g.pick(["500 millisec", "1 sec", "2 seconds", "3 sec", "1000 milliseconds", "1 sec 500 milliseconds"])
    if g.chance(snapshot):
        g.tag("rate:snapshot")
        g.never_null.add("*")
        return f"output snapshot every {every}"
    kind = g.pick(["", "all ", "first ", "last "])
    g.tag("rate:" + (kind.strip() or "default"))
    if g.chance(0.5):
        return f"output {kind}every {g.pick([1, 2, 2, 3, 4])} events"
    return f"output {kind}every {every}"


def query(g, number, text, named=True):
    info = f"@info(name='q{number}')\n" if named else ""
    return info + text


def simple(g, number, stream, target, windows, p_window=0.7, limit_rate=0.0, kinds=None, **options):
    names = windows if windows and g.chance(p_window) else None
    clause, out = select(g, g.scope(stream), **options)
    lines = ["from " + source(g, stream, names)]
    if clause:
        lines.append(clause)
    limited = limit_rate and g.chance(limit_rate)
    wanted = kinds or ("", "", "all ", "all ", "expired ", "current ")
    if limited:
        lines.append(rate(g))
        if "snapshot" in lines[-1]:
            wanted = ("", "all ")
    lines.append(insert(g, target, wanted))
    return query(g, number, "\n".join(lines)), Stream(target, out)


def join(g, number, left, right, target, left_window=True, right_window=True, windows=("length", "time", "lengthBatch",
         "timeBatch", "batch", "timeLength", "sort", "session", "expression"), kinds=None, uni=0.2, on=0.9, **options):
    """left, right: streams; a window of each when asked for. Both may be the same one."""
    a, b = g.pick([("a", "b"), ("l", "r")])
    same = left.name == right.name
    plain = not same and g.chance(0.15)
    if plain:
        a, b = left.name, right.name
    sides = []
    for stream, alias, windowed in ((left, a, left_window), (right, b, right_window)):
        text = stream.name
        if windowed is not None:
            text += filters(g, g.scope(stream), 0.12)
        if windowed and g.chance(0.85):
            text += "#window." + window(g, stream, list(windows))
        sides.append(text if plain else f"{text} as {alias}")
    if g.chance(uni):
        i = 0 if (left_window is not None and g.chance(0.5)) or right_window is None else 1
        sides[i] += " unidirectional"
        g.tag("unidirectional")
    kind = g.pick(["join", "inner join", "left outer join", "right outer join", "full outer join"])
    g.tag("jtype:" + kind)
    scope = [(t, k, n) for t, k, n in g.scope(left, a)] + [(t, k, n + "R") for t, k, n in g.scope(right, b)]
    text = f"from {sides[0]} {kind} {sides[1]}"
    if g.chance(on):
        text += " on " + on_condition(g, left, right, a, b)
    clause, out = select(g, scope, star=0.0, **options)
    return query(g, number, f"{text}\n{clause}\n{insert(g, target, kinds or ('', '', 'all ', 'all ', 'expired '))}"), \
        Stream(target, out)


def on_condition(g, left, right, a, b):
    both = [n for n, t in left.attributes if (n, t) in right.attributes and n != "ts"]
    parts = []
    if both and g.chance(0.75):
        n = g.pick(both)
        parts.append(f"{a}.{n} == {b}.{n}" if g.chance(0.8) else f"{b}.{n} == {a}.{n}")
        g.tag("on:equal")
    if not parts or g.chance(0.15):
        x, y = left.of(*NUMERIC), right.of(*NUMERIC)
        if x and y:
            parts.append(f"{a}.{g.pick(x)} {g.pick(['<', '<=', '>', '>=', '!=', '=='])} {b}.{g.pick(y)}")
            g.tag("on:compare")
        elif not parts:
            parts.append(f"{a}.deviceId != {b}.deviceId")
    return g.pick([" and ", " or "]).join(parts) if g.chance(0.2) else " and ".join(parts)
