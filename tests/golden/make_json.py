"""Writes json.json beside this file: texts, and what every language's strict JSON reader must make of them.

A row is [text, canonical form, or null where the text is refused]; `canonical` says what that form is. Run
`python tests/golden/make_json.py` when a case is added.
"""

import json
import struct
from pathlib import Path
from typing import Any

from handlens._codec import MAX_INTEGER, parse_json
from handlens.errors import ManifestInvalid

# What a line can hold.
_LINES = r"""
null
true
false
0
-0
00
01
-
+1
1.
.5
1.5
1e3
1E-2
1e+2
1e
9007199254740992
9007199254740993
-9007199254740993
12345678901234567890123
1e999
-1e999
1e-999
5e-324
2.2250738585072011e-308
0.1
123456789.123456789
NaN
Infinity
-Infinity
nan
tru
""
"a"
"a
"\t\n\r\b\f\/\\\""
"\u0041"
"\u00E9"
"\u12"
"\u+123"
"\x41"
"\ud83d\ude00"
"\ud83d"
"\ude00"
"\ud83d\u0041"
"ä😀"
'a'
a
[]
[ ]
[1]
[1,2]
[1,]
[,1]
[1 2]
[1
]
[[],[[]]]
[1]x
[1] [2]
{}
{ }
{"a":1}
{"a": 1, "b": {"a": 2}}
{"a":1,"a":2}
{"a":1,"\u0061":2}
{"x":{"a":1,"a":1}}
{"a":1,}
{,"a":1}
{"a"}
{"a":}
{a:1}
{"a" : 1}
{1:2}
{"a":1 "b":2}
{"a":1
{"":0}
/**/1
1//
١
1e١
True
[1.0, 1, 1e0, -0.0]
[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]
"""
_OTHERS = (
    " \t\r\n1 ",
    '"\t"',
    '"\x7f"',
    "",
    "\ufeff1",
    "1\xa0",
    "\u20281",
    "1\x00",
    "\x0c1",
    "[" * 20 + "]" * 20,
    "[" * 5000,
    '{"a":' * 20 + "1" + "}" * 20,
)
TEXTS = (*_LINES.strip().split("\n"), *_OTHERS)


def canonical(value: Any) -> str:
    """A text that says type and content: i (whole), w (whole, too large), d (the double's bits), s (UTF-16 units)."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return f"i{value}" if abs(value) <= MAX_INTEGER else "w"
    if isinstance(value, float):
        return "d" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "s" + value.encode("utf-16-be", "surrogatepass").hex()
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return "{" + ",".join(canonical(key) + ":" + canonical(item) for key, item in value.items()) + "}"


def row(text: str) -> list[str | None]:
    """A text and what Python makes of it."""
    try:
        return [text, canonical(parse_json(text, "the text"))]
    except ManifestInvalid:
        return [text, None]


if __name__ == "__main__":
    lines = [json.dumps(row(text)) for text in TEXTS]
    (Path(__file__).parent / "json.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
