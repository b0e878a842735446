"""Documents mean what kubectl makes of them, and bad ones are refused where they are bad."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.api.common.documents import DocumentError, read, written
from ecns.api.common.documents.reading import DEPTH, DOCUMENTS
from ecns.errors import BadRequestError

if TYPE_CHECKING:
    from tests.gateway import Gateway

WORDS = """
y Y yes yEs on OFF n true tRue True null Null nULL ~ 0o14 1e3 08 1_000 2001-01-01 1:30 0x1F 0b101 1.0 +12
-0b11 012 1. .5 0.1e-7 1e21 100000.0 0x1p-2 1__0 _1 0_8 0x -0 -0.0 1e400 0o8 0O7 0X1f -012 -0o12 +0x1 -.5
.5e3 1e+3 = . 1e-400 0b 0b2 9007199254740993 1.7976931348623157e308 123456789.123456789 1e20 1e-7 0.000001
<< -0x10 0_1 1_.5 .1.2 1.2.3 + +.5 0.1 -9223372036854775808 9223372036854775807 00 0000 09.5 0e0 1E5 1_0.5_0
.e3 1e 0xg +08 -08 1e+ 0b_1 _ __ 1_ 0_ 2001-12-14t21:59:43.10-05:00 +_1 1.5_ +0b1 0B1 -0B1 0b1_1 +-1 0x-1 0o
0777777777777777777777777 0x_1 10Gi 100m 1,000
""".split()  # noqa: SIM905  a hundred quotes would hide them
TAGGED = (
    *(
        "!!binary aGVsbG8=",
        "!!str 12",
        '!!int "12"',
        "!!float 12",
        '!!float "1e3"',
        "!!float 0x10",
        "!!int 1_0",
    ),
    *(
        '!!bool "yes"',
        '!!null ""',
        "!!null",
        "!!str",
        "!!str null",
        "!!timestamp 2001-01-01",
        "!foo bar",
        "! 5",
    ),
    *(
        "!<tag:yaml.org,2002:int> 5",
        "!<x> 5",
        "!!python/object:x 3",
        "!!set {a}",
        "!!omap [a: 1]",
        "!x {a: 1}",
    ),
)
COLLECTIONS = (
    *(
        "{a: 1, <<: {a: 2, b: 3}}",
        "{<<: {a: 2, b: 3}, a: 1}",
        "{<<: [{a: 1}, {a: 2, c: 3}]}",
        '{"<<": {a: 2}}',
    ),
    *("{1: a}", "{true: a}", "{on: d}", "{1.5: a}", "{1e6: a}", "{1e30: a}", "{0.00001: a}", "{012: a}"),
    *("{100000: a, 123456.7: b}", "{.inf: a}", "{2001-01-01: d}", "{-0.0: d}", "{!!str 1: a}", "{a, b}"),
    *("[&a x, *a]", "{a: &x {k: [1]}, b: *x, c: {<<: *x}}", '[{}, [], ""]', "[a: b]", "{? a}", "a #b"),
    *(
        "'it''s'",
        '"\\e\\N"',
        '"\\x00\\u263a"',
        ">-\n  a\n\n  b\n",
        "|+\n  a\n\n",
        '"a\\\n  b"',
        "|2-\n      a\n     b",
    ),
)
REFUSED = (
    *(
        ".inf",
        "-.inf",
        ".NaN",
        "- a",
        "? x",
        "[a,,b]",
        "{a: b: c}",
        "!!null x",
        "!!int 1.0",
        "!!int 08",
        "*nope",
    ),
    *(
        "!!float abc",
        "{~: a}",
        "{[a]: b}",
        "{{a: b}: c}",
        "&a [*a]",
        "%x",
        "@a",
        "`a",
        "{a: 1, <<: x}",
        "!!bool 1",
    ),
)


def document(value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\nspec: {value}\n"


def spec(text: str) -> Any:
    return json.loads(json.dumps(read(text)[0].value["spec"]))


def kubectl(gateway: Gateway, text: str) -> Any:
    arguments = ("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-")
    return json.loads(gateway.kubectl(*arguments, stdin=text))


def same(ours: Any, theirs: Any) -> bool:
    """Equal, and of one type: 1 is not 1.0, nor true."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def test_values_are_those_of_kubectl(gateway: Gateway) -> None:
    keyed = {f"k{place}": one for place, one in enumerate((*WORDS, *TAGGED, *COLLECTIONS))}
    body = "".join(
        f"  {key}: {one}\n" if "\n" not in one else f"  {key}: {one.replace(chr(10), chr(10) + '  ')}\n"
        for key, one in keyed.items()
    )
    text = document("\n" + body.rstrip("\n"))
    ours, theirs = spec(text), kubectl(gateway, text)["spec"]
    wrong = {keyed[key]: (ours[key], theirs[key]) for key in keyed if not same(ours[key], theirs[key])}
    assert wrong == {}


@pytest.mark.parametrize("value", REFUSED)
def test_what_kubectl_refuses_is_refused(gateway: Gateway, value: str) -> None:
    text = document(value)
    with pytest.raises(DocumentError, match=r"yaml: line \d+"):
        read(text)
    said = gateway.kubectl("create", "--dry-run=client", "--validate=false", "-f", "-", stdin=text, ok=False)
    assert "error" in said


def test_whole_manifests_are_those_of_kubectl(gateway: Gateway, samples: Any) -> None:
    for sample in sorted(samples.glob("*.yaml")):
        text = sample.read_text()
        arguments = ("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-")
        printed, theirs, place = gateway.kubectl(*arguments, stdin=text), [], 0
        decoder = json.JSONDecoder()
        while place < len(printed):
            one, place = decoder.raw_decode(printed, place)
            theirs += one["items"] if one["kind"] == "List" else [one]
            place += 1
        ours = [one.value for one in read(text)]
        for one in (*ours, *theirs):
            one["metadata"].pop("namespace", None)
        assert same(ours, theirs), sample.name


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("---\n# nothing\n---\n", []),
        ("a: 1\n---\n---\nb: 2\n...\n# end\n", [1, 4]),
        ("--- # one\na: 1\n--- {b: 2}\n", [2, 3]),
        ("\ufeffa: 1\r\n---\r\nb: 2\r\n", [1, 3]),
        ('{"a": 1}\n\n{"b": [2.0]}', [1, 3]),
        ("{a: 1}\n---\n{b: 2}", [1, 3]),
        ("%YAML 1.1\n---\na: 1\n", [3]),
    ],
)
def test_streams(text: str, lines: list[int]) -> None:
    assert [one.line for one in read(text)] == lines
    assert [one.value for one in read(text.encode())] == [one.value for one in read(text)]


def test_bytes() -> None:
    assert read("a: ä".encode("utf-16"))[0].value == {"a": "ä"}
    assert read("\ufeffa: ä".encode())[0].value == {"a": "ä"}
    with pytest.raises(BadRequestError, match="not UTF-8"):
        read(b"a: \xff")
    with pytest.raises(BadRequestError, match="not UTF-8"):
        read(b"\xff\xfea")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is there twice, first in line 1"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}\n", 3, "'d' is there twice"),
        ('{"a": 1,\n "a": 2}', 1, "'a' is there twice"),
        ("a: 1\n--- \nb: [1, 2\n", 4, "did not find expected"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\n\nb: \x00\n", 3, "control character"),
        ("a: " + "[" * 300 + "]" * 300, 1, f"nested more than {DEPTH}"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", 1, f"nested more than {DEPTH}"),
        ('{"a": ' + "[" * 200_000, 1, "nested more than"),
        ("a: 1\n---\n" * (DOCUMENTS + 1), 2 * DOCUMENTS + 1, f"more than {DOCUMENTS} documents"),
        ("a: &x\n  b: *x\n", 2, "stands within"),
    ],
)
def test_where_it_is_wrong(text: str, line: int, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert caught.value.details["line"] == line
    assert said in caught.value.message


def test_bombs_are_refused_at_once() -> None:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    merges = ["m0: &m0 {" + ", ".join(f"k{n}: v" for n in range(100)) + "}"]
    merges += [f"m{n}: &m{n} {{x{n}: *m{n - 1}, y{n}: *m{n - 1}, z{n}: *m{n - 1}}}" for n in range(1, 30)]
    texts = ["t0: &t0 " + "x" * 100_000, "t1: [" + ", ".join(["*t0"] * 200) + "]"]
    for bomb in (lines, merges, texts):
        started = time.monotonic()
        with pytest.raises(DocumentError, match="unfold"):
            read("\n".join(bomb))
        assert time.monotonic() - started < 1.0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        [*WORDS, "- a", "a: b", " a ", "a\nb", "a\n", "\na", "#", "'", '"', "\t", "a \nb", "---", "|"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def normal(value: Any) -> Any:
    """Whole floats are integers, as JSON in Go has them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {key: normal(one) for key, one in value.items()}
    return [normal(one) for one in value] if isinstance(value, list) else value


@given(value=JSON)
@settings(max_examples=300)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert [one.value for one in read(written({"v": value}, {"w": value}))] == [
        {"v": normal(value)},
        {"w": normal(value)},
    ]


@given(text=st.text(st.sampled_from("ab:-[]{}&*!|>#'\"%@` \n\t0.1e~?,<"), max_size=60))
@settings(max_examples=500)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except BadRequestError:
        return
    json.dumps([one.value for one in found], allow_nan=False)
    list(yaml.parse(text, Loader=yaml.CSafeLoader))


def test_written_words_are_those_of_kubectl(gateway: Gateway) -> None:
    value = {
        f"k{place}": one
        for place, one in enumerate((*WORDS, "- a", "a: b", "a\nb", "a\n", "", " ", "#", "é"))
    }
    whole = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "spec": {**value, "y": 1, "1e3": 2},
    }
    assert kubectl(gateway, written(whole))["spec"] == whole["spec"]
