"""Extension functions: each area a table of functions with the kinds of their arguments, called on columns and literals."""
from basics import Stream

# Letters of a signature: i l f d s b the types; n any number, r float or double, w int or long; I L S D: literals.
MATH = [("abs", "n"), ("acos", "r"), ("asin", "r"), ("atan", "n"), ("atan", "nn"), ("bin", "w"), ("cbrt", "n"), ("ceil", "r"),
        ("conv", "sii"), ("copySign", "nn"), ("cos", "n"), ("cosh", "n"), ("e", ""), ("exp", "n"), ("floor", "n"),
        ("getExponent", "n"), ("hex", "n"), ("isInfinite", "r"), ("isNan", "r"), ("ln", "n"), ("log", "nn"), ("log10", "n"),
        ("log2", "n"), ("max", "nn"), ("min", "nn"), ("oct", "w"), ("parseDouble", "s"), ("parseFloat", "s"),
        ("parseInt", "s"), ("parseLong", "s"), ("pi", ""), ("power", "nn"), ("rand", "W"), ("round", "r"), ("signum", "n"),
        ("sin", "n"), ("sinh", "n"), ("sqrt", "n"), ("tan", "n"), ("tanh", "n"), ("toDegrees", "n"), ("toRadians", "n")]
REGEX = [("find", "ps"), ("find", "psi"), ("matches", "ps"), ("lookingAt", "ps"), ("group", "psi")]
VALUES = {
    "i": [0, 1, -1, 2, 7, 9, 255, 1000003, 2147483647, -2147483648],
    "l": [0, 1, -1, 99, 4294967296, 9007199254740993, -9223372036854775808, 9223372036854775807],
    "f": [0.0, -0.0, 0.5, 1.0, -3.75, 2.5, 6.5, -2.5, 1e10, "NaN", "Infinity", "-Infinity", 0.1],
    "d": [0.0, -0.0, 0.5, 1.0, -1.0, 2.5, -2.5, 3.75, 423.187, 1e-400, 1e300, 1e-7, "NaN", "Infinity", "-Infinity", 0.1],
    "s": ["0", "12", "-7", "+5", " 5", "12.5", "1e3", "1e400", "NaN", "Infinity", "0x10", "7f", "Zz", "", "1.5f", "1_0",
          "80000000", "2147483648", "９"],
    "b": [True, False],
    "p": ["\\d\\d(.*)WSO2", "WSO2(.*)middleware", "(\\w+) (\\w+)", "^a", "b$", "", "(", "a|b", "(a)|(b)", "(?i)wso2", "[^x]+",
          "\\bcat\\b", "(?<n>x+)y", "a{2,3}", ".", "(a*)b"],
    "t": ["21 products by WSO2", "WSO2 x middleware company", "a b  c", "", "aaab", "xxy", "cat", "Äé a😀b", "ab\ncd", "wso2"],
}
TYPES = {"i": "int", "l": "long", "f": "float", "d": "double", "s": "string", "b": "bool", "p": "string", "t": "string"}
WIDER = {"n": "ilfd", "r": "fd", "w": "il"}


def column_kind(g, letter):
    return g.pick(WIDER[letter]) if letter in WIDER else letter


def literal(g, kind):
    value = g.pick([v for v in VALUES[kind] if not isinstance(v, str) or kind in "spt"])
    if kind in "spt":
        return "'" + str(value).replace("'", "") + "'"
    if kind == "b":
        return str(value).lower()
    if kind == "i":
        return str(max(value, -2147483647))
    if kind == "l":
        return f"{max(value, -9223372036854775807)}L"
    return f"{value:.3f}".rstrip("0") + "0" + kind if abs(value) < 1e9 else f"1.5{kind}"


def calls(g, area, table):
    """One stream, two calls on its columns; a failing event goes to the fault stream."""
    s, items, columns = "In", ["id"], [("id", "int")]
    kinds = ["i"]
    for r in range(1, g.pick([1, 1, 2]) + 1):
        name, takes = g.pick(table)
        wrong = g.chance(0.06)
        if wrong:
            takes = g.pick([takes + "i", takes[:-1], takes.replace("n", "s"), "b" + takes[1:], takes.replace("s", "i")])
            g.tag("create:wrong")
        g.tag(f"fn:{area}:{name}")
        args = []
        for n, letter in enumerate(takes):
            if letter == "W":
                args.append(g.pick(["12", "7L", "0", "-3"]))
                continue
            kind = column_kind(g, letter)
            if area == "regex" and letter == "s":
                kind = "t"
            if g.chance(0.25):
                args.append(literal(g, kind))
                continue
            column = f"{'abcdefgh'[len(columns) - 1]}"
            columns.append((column, TYPES[kind]))
            kinds.append(kind)
            args.append(column)
        items.append(f"{area}:{name}({', '.join(args)}) as r{r}")
    app = f"define stream {s} (" + ", ".join(f"{c} {t}" for c, t in columns) + ");\n"
    body = f"@info(name='q1')\nfrom {s} select {', '.join(items)} insert into Out1;"
    if g.chance(0.6):
        g.tag("onerror:stream")
        app = "@OnError(action='stream')\n" + app
        body = f"from !{s} select {', '.join(c for c, _ in columns)} insert into Err1;\n" + body
    steps, at = [], g.pick([1000, 1583020799000, 1709251190500])
    for n in range(1, g.r.randint(3, 6)):
        data = [n] + [None if g.chance(0.12) else g.pick(VALUES[k]) for k in kinds[1:]]
        steps.append({"send": s, "at": at, "data": data})
        at += g.pick([0, 10, 100, 1000])
    return app + body, steps, None


def ext_math(g):
    if g.chance(0.12):
        g.tag("fn:math:percentile")
        kind = g.pick(["int", "long", "float", "double"])
        window = g.pick(["", "#window.length(3)"])
        p = g.pick(["50.0", "25.0", "99.0", "100.0", "0.5", "33.3", "0.0", "101.0", "50"])
        group = ""
        app = f"define stream In (k string, v {kind});\n@info(name='q1')\nfrom In{window} select k, " \
            f"math:percentile(v, {p}) as r{group} {g.pick(['insert into', 'insert all events into'])} Out1;"
        steps, at = [], 1000
        for _ in range(8):
            steps.append({"send": "In", "at": at, "data": [g.pick(["a", "b"]), None if g.chance(0.1) else g.r.randint(-5, 20)]})
            at += g.pick([0, 100, 400, 1000])
        return app, steps + [{"advance": at + 3000}], None
    return calls(g, "math", MATH)


def ext_regex(g):
    return calls(g, "regex", REGEX)


def item(g, columns):
    return g.pick(columns + ["'a'", "'WSO2'", "1", "2.5", "true", "3L"])


def make_list(g, columns):
    return "list:create(" + ", ".join(item(g, columns) for _ in range(g.r.randint(0, 4))) + ")"


def ext_list(g):
    columns = ["x", "y", "i", "d", "b"]
    one = lambda: make_list(g, columns)
    v = lambda: item(g, columns)
    at = lambda: g.pick(["0", "1", "2", "-1", "5", "i"])
    forms = [lambda: one(), lambda: f"list:add({one()}, {v()})", lambda: f"list:add({one()}, {v()}, {at()})",
             lambda: f"list:addAll({one()}, {one()})", lambda: f"list:addAll({one()}, {one()}, true)",
             lambda: f"list:get({one()}, {at()})", lambda: f"list:size({one()})", lambda: f"list:isEmpty({one()})",
             lambda: f"list:isList({g.pick([one(), v()])})", lambda: f"list:contains({one()}, {v()})",
             lambda: f"list:containsAll({one()}, {one()})", lambda: f"list:indexOf({one()}, {v()})",
             lambda: f"list:lastIndexOf({one()}, {v()})", lambda: f"list:remove({one()}, {v()})",
             lambda: f"list:removeByIndex({one()}, {at()})", lambda: f"list:removeAll({one()}, {one()})",
             lambda: f"list:retainAll({one()}, {one()})", lambda: f"list:setValue({one()}, {at()}, {v()})",
             lambda: f"list:clear({one()})", lambda: f"list:clone({one()})", lambda: f"list:sort({one()})",
             lambda: f"list:sort(list:create(x, y, 'b', 'A'), '{g.pick(['ASC', 'desc', 'REV', 'up'])}')",
             lambda: f"list:sort(list:create(i, 3, 1), '{g.pick(['ASC', 'DESC', 'REV'])}')"]
    if g.chance(0.2):
        window = g.pick(["", "#window.length(2)", "#window.lengthBatch(3)", "#window.time(1 sec)"])
        call = g.pick(["list:collect(x)", "list:collect(i)", "list:collect(x, true)", "list:merge(list:create(x, i))",
                       "list:merge(list:create(x, y), true)"])
        g.tag("fn:" + call.split("(")[0])
        body = f"from In{window} select x, {call} as r{g.pick(['', ' group by x'])} " \
            f"{g.pick(['insert into', 'insert all events into'])} Out1;"
    elif g.chance(0.15):
        g.tag("fn:list:tokenize")
        body = f"from In#list:tokenize({one()}{g.pick(['', ', ' + one()])}) select x, index, value insert into Out1;"
    else:
        items = [f"{g.pick(forms)()} as r{n}" for n in range(1, g.pick([1, 2]) + 1)]
        g.tag(*("fn:" + i.split("(")[0] for i in items))
        body = f"from In select {', '.join(items)} insert into Out1;"
    return objects(g, body, [("x", "string"), ("y", "string"), ("i", "int"), ("d", "double"), ("b", "bool")])


def objects(g, body, columns):
    app = "define stream In (" + ", ".join(f"{c} {t}" for c, t in columns) + ");\n"
    fault = ""
    if g.chance(0.4):
        g.tag("onerror:stream")
        app = "@OnError(action='stream')\n" + app
        fault = f"from !In select {', '.join(c for c, _ in columns)} insert into Err1;\n"
    pool = {"x": ["a", "b", "WSO2", "é", ""], "y": ["b", "B", "IBM", "w", "1"], "i": [-1, 0, 1, 2, 3, 5, 100],
            "d": [1.0, -1.0, 2.5, 12345678.5, 1e10], "b": [True, False],
            "j": ['{"a":1}', '{"a":{"b":2},"c":[1,"x"]}', '{"a":12345678901,"b":1.50}', "{bad", "[1]", "", '{"n":null,"t":true}']}
    steps, at = [], g.pick([1000, 1583020799000, 1709251190500])
    for _ in range(g.r.randint(3, 7)):
        steps.append({"send": "In", "at": at, "data": [None if g.chance(0.06) else g.pick(pool[c]) for c, _ in columns]})
        at += g.pick([0, 10, 100, 250, 1000])
    return app + fault + "@info(name='q1')\n" + body, steps + [{"advance": at + 2000}], None


def make_map(g, columns):
    pairs = g.r.randint(0, 3)
    keys = g.r.sample(["'k1'", "'k2'", "x", "i", "1", "true", "2L"], pairs)
    return "map:create(" + ", ".join(f"{k}, {item(g, columns)}" for k in keys) + ")"


def ext_map(g):
    """Only what does not show the order of a map."""
    columns = ["x", "y", "i", "d"]
    one = lambda: make_map(g, columns)
    v = lambda: item(g, columns)
    k = lambda: g.pick(["'k1'", "'k2'", "x", "i", "1", "true"])
    small = lambda: f"map:create({k()}, {v()})"
    forms = [lambda: f"map:get({one()}, {k()})", lambda: f"map:isMap({g.pick([one(), v()])})",
             lambda: f"map:get(map:put({one()}, {k()}, {v()}), {k()})", lambda: f"map:get(map:remove({one()}, {k()}), {k()})",
             lambda: f"map:toJSON({small()})", lambda: f"map:get(map:createFromJSON(j), '{g.pick('abnt')}')",
             lambda: f"map:toJSON(map:createFromJSON('{{\"a\":{{\"b\":2}}}}'))", lambda: f"map:toXML({small()})",
             lambda: f"map:toXML({small()}, 'root')", lambda: f"map:toJSON(map:create('k', d))",
             lambda: f"map:create({k()})", lambda: f"map:remove({one()}, {k()}, {k()})"]
    if g.chance(0.2):
        window = g.pick(["", "#window.length(2)", "#window.lengthBatch(3)", "#window.time(1 sec)"])
        call = g.pick(["map:create(x, i)", "map:put(map:create(x, i), y, d)"])
        g.tag("fn:" + call.split("(")[0])
        body = f"from In{window} select x, map:get({call}, {g.pick(['x', chr(39) + 'a' + chr(39)])}) as r " \
            f"{g.pick(['insert into', 'insert all events into'])} Out1;"
    else:
        items = [f"{g.pick(forms)()} as r{n}" for n in range(1, g.pick([1, 2]) + 1)]
        g.tag(*("fn:" + i.split("(")[0] for i in items))
        body = f"from In select {', '.join(items)} insert into Out1;"
    return objects(g, body, [("x", "string"), ("y", "string"), ("i", "int"), ("d", "double"), ("j", "string")])


def ext_reorder(g):
    form = g.pick(["ts", "ts, 1000L", "ts, true", "ts, false", "ts, 1000L, 5L", "ts, 2000L, true", "ts, 1000L, 4L, true",
                   "ts, -1L, 3L, false"])
    app = f"define stream In (ts long, v int);\n@info(name='q1')\nfrom In#reorder:kslack({form}) select ts, v" \
        f"{g.pick(['', ', sum(v) as t'])} insert into Out1;"
    steps, at, base = [], g.pick([1000, 1700000000137]), g.pick([10, 1000])
    for v in range(g.r.randint(8, 14)):
        ts = base + v * g.pick([1, 1, 2, 10]) - g.pick([0, 0, 0, 1, 3, 20])
        steps.append({"send": "In", "at": at, "data": [ts, v]})
        at += g.pick([0, 10, 100, 500, 1000])
    return app, steps + [{"advance": at + g.pick([0, 3000])}], None


AREAS = {"ext-math": ext_math, "ext-regex": ext_regex, "ext-list": ext_list, "ext-map": ext_map, "ext-reorder": ext_reorder}
