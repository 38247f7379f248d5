import pytest

from exposer.openapi.model import DocumentError
from exposer.openapi.text import MAX_DEPTH, MAX_NODES, parse


def yaml(text: str) -> object:
    return parse(text.encode(), "test")


def test_status_codes_written_as_numbers_are_text_keys() -> None:
    assert yaml("responses:\n  200: {description: fine}\n  default: x") == {
        "responses": {"200": {"description": "fine"}, "default": "x"}
    }


def test_dates_and_times_stay_text() -> None:
    assert yaml("a: 2020-01-02\nb: 2020-01-02T03:04:05Z\n2021-05-06: c\nd: 12:30:45") == {
        "a": "2020-01-02",
        "b": "2020-01-02T03:04:05Z",
        "2021-05-06": "c",
        "d": "12:30:45",
    }


def test_yes_no_on_and_off_are_words_and_only_true_and_false_are_truth() -> None:
    assert yaml("enum: [yes, no, on, off]\non: 1\na: true\nb: False\nc: ~\nd:\n") == {
        "enum": ["yes", "no", "on", "off"],
        "on": 1,
        "a": True,
        "b": False,
        "c": None,
        "d": None,
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("9223372036854775808123", 9223372036854775808123),
        ("017", 17),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5e3", 1500.0),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_number_is_what_yaml_1_2_says_and_can_be_written_as_json(written: str, meant: object) -> None:
    assert yaml(f"a: {written}") == {"a": meant}


def test_aliases_and_merges_are_understood() -> None:
    text = "base: &b {x: 1, y: 2}\nuse: *b\nmore:\n  <<: *b\n  y: 3\n&k key: v\nother:\n  *k : w"
    assert yaml(text) == {
        "base": {"x": 1, "y": 2},
        "use": {"x": 1, "y": 2},
        "more": {"x": 1, "y": 3},
        "key": "v",
        "other": {"key": "w"},
    }


def test_a_bomb_of_aliases_is_refused_before_it_goes_off() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(DocumentError, match="aliases written out"):
        yaml("\n".join(lines))


def test_aliases_are_copies_so_that_each_place_can_be_changed_alone() -> None:
    value = yaml("a: &a {x: [1]}\nb: *a\nc: {<<: *a}")
    assert isinstance(value, dict)
    assert value["a"] == value["b"] == value["c"]
    assert value["a"] is not value["b"]
    assert len({id(value[name]["x"]) for name in "abc"}) == 3


def test_aliases_all_over_the_document_count_together() -> None:
    lines = [f"big: &big [{', '.join(['x'] * 20_000)}]"] + [f"k{n}: {{a: {{b: *big}}}}" for n in range(150)]
    with pytest.raises(DocumentError, match="aliases written out"):
        yaml("\n".join(lines))


@pytest.mark.parametrize("start", ["", "# yaml\n"])
def test_millions_of_values_are_refused(start: str) -> None:
    with pytest.raises(DocumentError, match=r"more than 1,000,000 values"):
        yaml(start + "[" + "0," * MAX_NODES + "0]")


def test_a_bomb_of_merges_is_refused_as_well() -> None:
    lines = [f"a0: &a0 {{k: {'x' * 1000}}}"]
    lines += [f"a{n}: &a{n} {{'<<': 0, p: *a{n - 1}, q: *a{n - 1}}}" for n in range(1, 30)]
    with pytest.raises(DocumentError, match="aliases written out"):
        yaml("\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: *nowhere",
        "a: !!python/object/apply:os.system [id]",
        "a: !Ref x",
        "!!binary aGk=: x",
        "? [1, 2]\n: x",
        "? {a: 1}\n: x",
        "<<: 5",
        "a: 1\n---\nb: 2",
    ],
)
def test_what_yaml_can_say_and_json_cannot_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="YAML is not accepted"):
        yaml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "- " * 200 + "x"])
def test_deep_nesting_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(DocumentError, match=r"nested|neither JSON nor YAML"):
        yaml(text)


def test_depth_is_counted_through_aliases() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 10)]
    with pytest.raises(DocumentError, match="levels deep"):
        yaml("\n".join(lines))


def test_json_and_yaml_are_allowed_the_same_depth() -> None:
    nested = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert yaml(nested) == yaml("# comment\n" + nested)
    for text in (f"[{nested}]", f"# comment\n[{nested}]"):
        with pytest.raises(DocumentError, match="levels deep"):
            yaml(text)


def test_numbers_that_json_cannot_write_again_become_text() -> None:
    assert yaml('{"a": NaN, "b": -Infinity, "c": 1e999, "d": 123456789012345678901234567890}') == {
        "a": "NaN",
        "b": "-Infinity",
        "c": "1e999",
        "d": 123456789012345678901234567890,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_is_found_by_itself(encoding: str) -> None:
    assert parse('{"a": "日本"}'.encode(encoding), "test") == {"a": "日本"}


def test_the_whole_of_an_indented_document_is_read() -> None:
    assert yaml("\n  a: 1\n  b: 2\n") == {"a": 1, "b": 2}


def test_json_with_a_comment_is_read_as_yaml() -> None:
    assert yaml('{\n  "a": 1, # one\n}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "says", "hint"),
    [
        (b"", "is empty", "/openapi.json"),
        (b" \n", "is empty", "/openapi.json"),
        (b"<!DOCTYPE html><html>", "this is a web page, not a document", "/swagger.json"),
        (b"\n <html>", "this is a web page", "backend.auth"),
        (b'{"a": [1, }', "line 1 is not JSON", "backend.openapi"),
        (b"a: [1\nb: 2", "is not YAML", "backend.openapi"),
        (b"\xff\xfe\xfa", "not text", "backend.openapi"),
        (b"a: \x07", "is not YAML", "backend.openapi"),
    ],
)
def test_what_is_no_document_is_told_with_a_next_step(body: bytes, says: str, hint: str) -> None:
    with pytest.raises(DocumentError, match=says) as caught:
        parse(body, "/openapi.json")
    assert hint in caught.value.hint
    assert caught.value.message.startswith("/openapi.json: ")
