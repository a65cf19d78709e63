"""Mappers: messages into a source and rows into a sink, well made and not."""
import json

from basics import Stream

NUMBERS = {
    "int": ["0", "1", "7", "-12", "42", "2147483647", "-2147483648"],
    "long": ["0", "99", "-1", "4294967296", "1700000000000", "9007199254740993"],
    "float": ["55.6", "0.0", "-3.5", "1.0", "2.5", "0.00025", "21.25", "100.0"],
    "double": ["55.6", "0.0", "-0.5", "3.14159", "1e2", "1e-7", "21.25", "100.0", "123456.789"],
    "bool": ["true", "false"],
}
EDGES = {
    "int": ["2147483648", "5.0", "1e2", '"7"', '"x"'], "long": ["9223372036854775808", "5.5", '"99"', "1e3"],
    "float": ["55", "1e400", '"2.5"', '"NaN"'], "double": ["55", "1e400", '"2.5"', "-7"],
    "bool": ['"true"', "1", '"yes"'], "string": ["5", "true", "1.50", "1e5"],
}
TEXTS = ["d1", "lab", "hall 2", "A", "mx-1", "north", "", "x9", "a,b", "a:b", "#c", 'say "hi"', " lead", "Mäx", "a/b", "<b>&"]
NAMES = {"string": ["deviceId", "room", "status"], "int": ["battery", "level"], "long": ["uptime", "seqNo"],
         "float": ["ratio", "humidity"], "double": ["temp", "power"], "bool": ["alarm", "active"]}


def schema(g):
    out, used = [], set()
    for _ in range(g.r.randint(2, 4)):
        kind = g.pick(list(NAMES))
        name = g.pick(NAMES[kind])
        if name not in used:
            used.add(name)
            out.append((name, kind))
    return Stream("S", out)


def token(g, kind, edge=0.08, null=0.05):
    if g.chance(null):
        g.tag("null")
        return "null"
    if g.chance(edge):
        g.tag("type-edge")
        return g.pick(EDGES[kind])
    return json.dumps(g.pick(TEXTS), ensure_ascii=False) if kind == "string" else g.pick(NUMBERS[kind])


def members(g, s):
    parts = [f'"{n}":{token(g, t)}' for n, t in s.attributes if not g.chance(0.05)]
    g.r.shuffle(parts)
    if g.chance(0.06):
        parts.append(g.pick(['"x1":"y"', '"ignored":1']))
    return "{" + ",".join(parts) + "}"


def event(g, s):
    return '{"event":' + members(g, s) + "}" if g.chance(0.6) else members(g, s)


def receives(g, make, count=(3, 7)):
    steps, at = [], g.pick([1000, 1700000000000, 1700000000137])
    for _ in range(g.r.randint(*count)):
        steps.append({"receive": "in", "at": at, "payload": make()})
        at += g.pick([0, 1, 10, 100, 1000])
    return steps


def reader(g, s, annotation):
    query = g.pick(["from S select * insert into Out;", "from S select * insert into Out;",
                    "from S#window.lengthBatch(2) select * insert into Out;", "from S select count() as n insert into Out;"])
    play = "@app:playback\n" if g.chance(0.05) else ""
    return f"{play}@source(type='inMemory', topic='in', @map({annotation}))\ndefine stream S {s.declaration()};\n" \
        f"@info(name='q1')\n{query}\n"


def flag(g, name, p=0.4):
    return f", {name}='{g.pick(['true', 'false'])}'" if g.chance(p) else ""


def map_json(g):
    if g.chance(0.35):
        options = flag(g, "event.grouping.enabled") + flag(g, "enable.null.attribute.value") + flag(g, "validate.json", 0.2)
        if g.chance(0.3):
            options += f", enclosing.element='{g.pick(['$.a', '$.a.b', 'x.y', '$'])}'"
        return sink(g, "json", options, lambda s: '{"%s":"{{%s}}","v":{{%s}}}' % (
            s.attributes[0][0], s.attributes[0][0], s.attributes[-1][0]))
    s = schema(g)
    options = flag(g, "fail.on.missing.attribute") + flag(g, "event.grouping.enabled", 0.2)
    if g.chance(0.5):
        def make():
            if g.chance(0.05):
                return g.pick(["", "{", "[", "not json", "[]", "{}", "5", '{"event":{}}', "[{},{}]"])
            if g.chance(0.35):
                return "[" + ",".join(event(g, s) for _ in range(g.r.randint(1, 3))) + "]"
            return event(g, s)
        return reader(g, s, "type='json'" + options), receives(g, make), None
    g.tag("json:custom")
    element = g.pick(["", "$.items", "$.a.b"])
    paths = {n: g.pick([n, f"$.{n}", f"grp.{n}", f"$.rows[1].{n}", f"$['{n}']"]) for n, _ in s.attributes}
    if element:
        options += f", enclosing.element='{element}'"
    quote = lambda p: f'"{p}"' if "'" in p else f"'{p}'"
    attributes = ", ".join(f"{n}={quote(p)}" for n, p in paths.items())

    def one():
        plain, grouped, rows = [], [], []
        for n, t in s.attributes:
            if g.chance(0.05):
                continue
            text = f'"{n}":{token(g, t)}'
            (grouped if paths[n].startswith("grp") else rows if "rows" in paths[n] else plain).append(text)
        if grouped:
            plain.append('"grp":{' + ",".join(grouped) + "}")
        if rows:
            plain.append('"rows":[{},{' + ",".join(rows) + "}]")
        return "{" + ",".join(plain) + "}"

    def make():
        body = "[" + ",".join(one() for _ in range(g.r.randint(1, 3))) + "]" if g.chance(0.4) else one()
        if element == "$.items":
            return '{"items":' + body + "}"
        return '{"a":{"b":' + body + "}}" if element else body
    return reader(g, s, f"type='json'{options}, @attributes({attributes})"), receives(g, make), None


def sink(g, kind, options, template, custom=0.35):
    s = schema(g)
    payload = ""
    if template and g.chance(custom):
        g.tag("payload:template")
        payload = ', @payload("""%s""")' % template(s)
    window = g.pick(["", "", "#window.lengthBatch(2)", "#window.lengthBatch(3)", "#window.length(2)"])
    app = f"define stream Feed {s.declaration()};\n@sink(type='inMemory', topic='out', @map(type='{kind}'{options}{payload}))\n" \
        f"define stream Out {s.declaration()};\n@info(name='q1')\nfrom Feed{window} select * insert into Out;\n"
    steps, at = [], g.pick([1000, 1700000000000])
    row = lambda: [value(g, t) for _, t in s.attributes]
    for _ in range(g.r.randint(2, 5)):
        if g.chance(0.4):
            steps.append({"send": "Feed", "batch": [{"at": at, "data": row()} for _ in range(g.r.randint(1, 3))]})
        else:
            steps.append({"send": "Feed", "at": at, "data": row()})
        at += g.pick([0, 1, 10, 1000])
    return app, steps, {"topics": ["out"]}


def value(g, kind):
    if g.chance(0.06):
        return None
    if kind == "string":
        return g.pick(TEXTS + ["two\nlines", "tab\there", "-5", "!x", "end "])
    if kind == "bool":
        return g.chance(0.5)
    return json.loads(g.pick(NUMBERS[kind]))


def plain(g, kind):
    """A value as text without quotes."""
    if g.chance(0.06):
        return g.pick(["", "x", "null", "1.5", "2147483648", " 5", "TRUE", "NaN", "+3"])
    return g.pick(TEXTS) if kind == "string" else g.pick(NUMBERS[kind] + (["1.5"] if kind in ("float", "double") else []))


def csv_field(g, text, delimiter):
    if g.chance(0.1) or any(c in text for c in '"\n' + delimiter):
        return '"' + text.replace('"', '""') + '"'
    return text


def map_csv(g):
    delimiter = g.pick([",", ",", ",", ";", "|"])
    options = "" if delimiter == "," else f", delimiter='{delimiter}'"
    options += flag(g, "header", 0.25) + flag(g, "event.grouping.enabled", 0.5)
    if g.chance(0.35):
        s = sink(g, "csv", options, None)
        return s
    s = schema(g)
    options += flag(g, "fail.on.unknown.attribute")
    columns = list(range(len(s.attributes)))
    if g.chance(0.3):
        g.tag("csv:custom")
        g.r.shuffle(columns)
        options += ", @attributes(" + ", ".join(f"{n}='{c}'" for (n, _), c in zip(s.attributes, columns)) + ")"

    def line():
        fields = [""] * len(columns)
        for (n, t), c in zip(s.attributes, columns):
            fields[c] = csv_field(g, plain(g, t), delimiter)
        if g.chance(0.05):
            fields.append("more")
        elif g.chance(0.03):
            fields.pop()
        return delimiter.join(fields)

    make = lambda: g.pick(["\n", "\r\n", "\n\n"]).join(line() for _ in range(g.pick([1, 1, 2, 3]))) + g.pick(["", "\n"])
    return reader(g, s, "type='csv'" + options), receives(g, make), None


def map_text(g):
    if g.chance(0.4):
        options = flag(g, "event.grouping.enabled", 0.5)
        return sink(g, "text", options, lambda s: f"Report of {{{{{s.attributes[0][0]}}}}}\n- {s.attributes[-1][0]}: "
                                                  f"{{{{{s.attributes[-1][0]}}}}}")
    s = schema(g)
    options = flag(g, "event.grouping.enabled", 0.4) + flag(g, "fail.on.missing.attribute", 0.3)
    grouped = "event.grouping.enabled='true'" in options
    quote = lambda t, text: f'"{text}"' if t == "string" else text
    lines = lambda: ",\n".join(f"{n}:{quote(t, g.pick(['d1', 'lab', 'hall 2', 'a:b', 'north']) if t == 'string' else g.pick(NUMBERS[t]))}"
                               for n, t in s.attributes)
    body = lambda: g.pick(["no pair", "", "x", "one,\ntwo"]) if "missing.attribute='false'" in options and g.chance(0.1) else lines()
    make = lambda: "\n~~~~~~~~~~\n".join(body() for _ in range(g.pick([1, 2, 3]) if grouped else 1))
    return reader(g, s, "type='text'" + options), receives(g, make), None


def map_xml(g):
    if g.chance(0.4):
        options = f", enclosing.element='{g.pick(['<portfolio>', '<a b=' + chr(34) + '1' + chr(34) + '>'])}'" if g.chance(0.3) else ""
        return sink(g, "xml", options, lambda s: f"<e><x>{{{{{s.attributes[0][0]}}}}}</x></e>")
    s = schema(g)
    options = flag(g, "fail.on.missing.attribute")
    escape = lambda t: t.replace("&", "&amp;").replace("<", "&lt;")

    def one():
        return "<event>" + "".join(f"<{n}>{escape(plain(g, t))}</{n}>" for n, t in s.attributes if not g.chance(0.04)) + \
            g.pick(["", "", "<other>1</other>"]) + "</event>"
    make = lambda: g.pick(["<events>", "<events>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<events>"]) + \
        "".join(one() for _ in range(g.pick([1, 1, 2, 3]))) + g.pick(["</events>"] * 15 + ["", "</event>"])
    return reader(g, s, "type='xml'" + options), receives(g, make), None


def map_passthrough(g):
    return sink(g, "passThrough", "", None)


def map_keyvalue(g):
    return sink(g, "keyvalue", "", None)


AREAS = {"map-json": map_json, "map-csv": map_csv, "map-text": map_text, "map-xml": map_xml,
         "map-passthrough": map_passthrough, "map-keyvalue": map_keyvalue}
