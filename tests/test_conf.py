"""The setting: what it takes, what it refuses, and that it can change at any time."""

import ast
import logging
import math
import re
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import setting_changed
from django.test import override_settings
from django.utils.functional import SimpleLazyObject

from signals_demo import catalog
from signals_demo.conf import READERS, Config, config, read

DATABASE = {"BACKEND": "signals_demo.sinks.database.DatabaseSink"}


def test_without_the_setting_everything_has_its_default() -> None:
    assert read({}) == (Config(), [])
    with override_settings(SIGNALS_DEMO={"BATCH_SIZE": 7}):
        del settings.SIGNALS_DEMO
        setting_changed.send(sender=None, setting="SIGNALS_DEMO", value=None, enter=True)
        assert config() == Config()


def test_every_key_has_a_default() -> None:
    assert {each.name.upper() for each in fields(Config)} == set(READERS)


def test_a_change_of_the_setting_holds_at_once_and_is_undone() -> None:
    before = config()
    with override_settings(SIGNALS_DEMO={"BATCH_SIZE": 7}):
        assert config().batch_size == 7
        with override_settings(SIGNALS_DEMO={}):
            assert config().batch_size == 1000
        assert config().batch_size == 7
    assert config() == before


def test_other_settings_leave_it_alone() -> None:
    before = config()
    with override_settings(USE_TZ=False):
        assert config() is before


def test_it_is_read_once_by_many_threads(caplog: pytest.LogCaptureFixture) -> None:
    found: list[Config] = []
    with override_settings(SIGNALS_DEMO={"BATCH_SIZE": 7}):
        threads = [threading.Thread(target=lambda: found.append(config())) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {each.batch_size for each in found} == {7}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ENABLED", False, False),
        ("SIGNALS", None, None),
        ("SIGNALS", ["post_save"], frozenset({"post_save"})),
        ("SIGNALS", {"post_save", "pre_save"}, frozenset({"post_save", "pre_save"})),
        ("SIGNALS", [], frozenset()),
        ("SIGNALS", [signal.name for signal in catalog.BUILT_IN],
         frozenset(signal.name for signal in catalog.BUILT_IN)),
        ("EXTRA_SIGNALS", ("shop.signals.paid",), ("shop.signals.paid",)),
        ("INCLUDE_MODELS", None, None),
        ("INCLUDE_MODELS", [], ()),
        ("INCLUDE_MODELS", ["shop.Order", "auth.*"], ("shop.Order", "auth.*")),
        ("EXCLUDE_MODELS", ["sessions.*"], ("sessions.*",)),
        ("EXCLUDE_PATHS", [], ()),
        ("EXCLUDE_PATHS", ["/healthz", "/static/*", "*.css"], ("/healthz", "/static/*", "*.css")),
        ("EXCLUDE_FIELDS", {}, {}),
        ("EXCLUDE_FIELDS", {"shop.Product": ["a", "b"], "SHOP.product": ("c",)},
         {"shop.product": ("a", "b", "c")}),
        ("MODE", "inline", "inline"),
        ("DATABASE", "audit", "audit"),
        ("SINKS", None, None),
        ("SINKS", {"a": DATABASE, "b": DATABASE | {"OPTIONS": {"x": 1}}},
         {"a": DATABASE, "b": DATABASE | {"OPTIONS": {"x": 1}}}),
        ("FLUSH_INTERVAL", 2, 2.0),
        ("FLUSH_INTERVAL", 0.01, 0.01),
        ("BATCH_SIZE", 1, 1),
        ("BUFFER_LIMIT", 5, 5),
        ("FOLD_AFTER", None, None),
        ("FOLD_AFTER", 0, 0),
        ("FOLD_AFTER", 1, 1),
        ("CALL_SITES", False, False),
        ("CHANGES", False, False),
        ("REDACT", ["iban", "(?i)x", r"^note$"], ("iban", "(?i)x", r"^note$")),
        ("REDACT", [".*birth.*", "^user_.*_id$"], (".*birth.*", "^user_.*_id$")),
        ("REDACT", [r"(a|bc)_?id\d{4}(?!x)"], (r"(a|bc)_?id\d{4}(?!x)",)),
        ("REMOTE_ADDRESS", False, False),
        ("TRUSTED_PROXIES", 0, 0),
        ("TRUSTED_PROXIES", 2, 2),
        ("ACTOR", None, None),
        ("ACTOR", "shop.audit.who", "shop.audit.who"),
        ("CLIENT_ADDRESS", "shop.audit.address", "shop.audit.address"),
        ("TRUST_TRACEPARENT", True, True),
        ("TRUST_TRACEPARENT", [], ()),
        ("TRUST_TRACEPARENT", ["10.0.0.0/8", "::1", "unix"], ("10.0.0.0/8", "::1", "unix")),
        ("RECORD_TESTS", True, True),
        ("STRICT", True, True),
    ],
)  # fmt: skip
def test_a_key_takes(key: str, value: Any, expected: Any) -> None:
    found, mistakes = read({key: value})
    assert mistakes == []
    assert getattr(found, key.lower()) == expected


FLAGS = ("ENABLED", "CALL_SITES", "CHANGES", "REMOTE_ADDRESS", "RECORD_TESTS", "STRICT")
COUNTS = ("BATCH_SIZE", "BUFFER_LIMIT", "FOLD_AFTER", "TRUSTED_PROXIES")
LISTS = (
    "SIGNALS", "EXTRA_SIGNALS", "INCLUDE_MODELS", "EXCLUDE_MODELS", "EXCLUDE_PATHS", "REDACT",
)  # fmt: skip

WRONG: list[tuple[str, Any]] = [
    *((key, value) for key in FLAGS for value in (None, 1, 0, "yes", "", [], object())),
    *((key, value) for key in COUNTS for value in (-1, 1.5, "3", True, math.nan, [], object())),
    *((key, 0) for key in COUNTS if key not in ("FOLD_AFTER", "TRUSTED_PROXIES")),
    *(
        (key, None)
        for key in (*COUNTS, *LISTS)
        if key not in ("FOLD_AFTER", "SIGNALS", "INCLUDE_MODELS")
    ),
    *(
        (key, value)
        for key in LISTS
        for value in ("post_save", 5, True, {"a": 1}, [1], [""], [None], [["a.b"]], b"x", object())
    ),
    *(
        (key, value)
        for key in ("ACTOR", "CLIENT_ADDRESS")
        for value in ("", "who", "shop.", "shop audit.who", ["shop.audit.who"], len, 1, True)
    ),
    *(
        ("TRUST_TRACEPARENT", value)
        for value in (None, 1, "10.0.0.1", ["10.0.0.1/99"], ["proxy"], [1], [None], {"unix": 1})
    ),
    ("SIGNALS", ["post_sav"]),
    ("SIGNALS", ["POST_SAVE"]),
    ("SIGNALS", ["django.db.models.signals.post_save"]),
    ("EXTRA_SIGNALS", ["paid"]),
    ("EXTRA_SIGNALS", [".paid"]),
    ("EXTRA_SIGNALS", ["..paid"]),
    ("EXTRA_SIGNALS", ["shop.signals."]),
    ("EXTRA_SIGNALS", ["shop signals.paid"]),
    ("INCLUDE_MODELS", ["Order"]),
    ("INCLUDE_MODELS", ["shop.models.Order"]),
    ("EXCLUDE_MODELS", ["*"]),
    *(
        ("EXCLUDE_FIELDS", value)
        for value in (
            None,
            [],
            "a.B",
            {"B": ["c"]},
            {1: ["c"]},
            {"a.B": "c"},
            {"a.B": [1]},
            {"a.B": None},
            {"a.B": [""]},
        )
    ),
    ("EXCLUDE_PATHS", ["healthz"]),
    ("EXCLUDE_PATHS", ["https://example.com/healthz"]),
    ("EXCLUDE_PATHS", ["/healthz?full=1"]),
    ("MODE", "Inline"),
    ("MODE", None),
    ("MODE", ["inline"]),
    ("DATABASE", ""),
    ("DATABASE", None),
    ("DATABASE", 1),
    ("SINKS", {}),
    ("SINKS", []),
    ("SINKS", [DATABASE]),
    ("SINKS", "signals_demo.sinks.database.DatabaseSink"),
    ("SINKS", {"a": None}),
    ("SINKS", {"a": {}}),
    ("SINKS", {"a": {"BACKEND": None}}),
    ("SINKS", {"a": {"BACKEND": ""}}),
    ("SINKS", {"a": {"BACKEND": "DatabaseSink"}}),
    ("SINKS", {"a": {"BACKEND": ".DatabaseSink"}}),
    ("SINKS", {"a": {"BACKEND": object}}),
    ("SINKS", {"a": DATABASE | {"OPTIONS": None}}),
    ("SINKS", {"a": DATABASE | {"OPTION": {}}}),
    ("SINKS", {"a": DATABASE | {"OPTION": {}, 1: 2, None: 3}}),
    ("SINKS", {1: DATABASE}),
    ("FLUSH_INTERVAL", 0),
    ("FLUSH_INTERVAL", -1),
    ("FLUSH_INTERVAL", True),
    ("FLUSH_INTERVAL", "0.5"),
    ("FLUSH_INTERVAL", None),
    ("FLUSH_INTERVAL", math.nan),
    ("FLUSH_INTERVAL", math.inf),
    ("REDACT", ["("]),
    ("REDACT", ["[z-a]"]),
    ("REDACT", ["a{99999999999999999999}"]),
    ("REDACT", ["(" * 5000]),
    ("REDACT", ["(a+)+$"]),
    ("REDACT", ["(a|a)*b"]),
    ("REDACT", ["(ab|a)+c"]),
    ("REDACT", [r"(\w*_)*id$"]),
    ("REDACT", ["(a{1,30}){1,30}x"]),
    ("REDACT", ["a*a*a*b"]),
    ("REDACT", ["(?=(a*)*b)x"]),
    ("REDACT", ["a?" * 30 + "b"]),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda value: repr(value)[:10])
def test_a_wrong_value_is_one_mistake_and_keeps_the_default(key: str, value: Any) -> None:
    found, mistakes = read({key: value, "BATCH_SIZE" if key != "BATCH_SIZE" else "MODE": None})
    of_key = [mistake for mistake in mistakes if mistake.key == key]
    assert len(of_key) == 1
    assert len(mistakes) == 2
    assert key in of_key[0].message
    assert of_key[0].hint.startswith("Please use ")
    assert found == Config()


def test_one_mistake_does_not_cost_the_other_keys() -> None:
    found, mistakes = read({"MODE": "fast", "FOLD_AFTER": 3, "ENABLED": False})
    assert (found.mode, found.fold_after, found.enabled) == ("background", 3, False)
    assert len(mistakes) == 1


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("ENABLE", "'ENABLED'"),
        ("enabled", "'ENABLED'"),
        ("EXCLUDE_MODEL", "'EXCLUDE_MODELS'"),
        ("Redact", "'REDACT'"),
        ("colour", "ENABLED, SIGNALS"),
        ("", "ENABLED, SIGNALS"),
        (None, "ENABLED, SIGNALS"),
        (5, "ENABLED, SIGNALS"),
        (("ENABLED",), "ENABLED"),
    ],
)
def test_an_unknown_key_is_a_mistake(key: Any, fix: str) -> None:
    found, mistakes = read({key: True})
    assert found == Config()
    assert len(mistakes) == 1
    assert repr(key) in mistakes[0].message
    assert fix in mistakes[0].hint


@pytest.mark.parametrize("setting", [None, [], "inline", 5, True, {"ENABLED"}, object(), b""])
def test_a_setting_that_is_no_dict_is_a_mistake(setting: Any) -> None:
    found, mistakes = read(setting)
    assert found == Config()
    assert len(mistakes) == 1
    assert "SIGNALS_DEMO" in mistakes[0].message
    assert "SIGNALS_DEMO = {" in mistakes[0].hint


def test_a_lazy_dict_is_a_dict() -> None:
    assert read(SimpleLazyObject(lambda: {"BATCH_SIZE": 7}))[0].batch_size == 7


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("SIGNALS", ["post_sav"], "'post_save'"),
        ("SIGNALS", ["nothing_like_it"], "pre_init"),
        ("SIGNALS", "post_save", "list"),
        ("MODE", "fast", '"inline"'),
        ("INCLUDE_MODELS", ["Order"], '"shop.*"'),
        ("EXCLUDE_PATHS", ["healthz"], "'healthz' does not start with \"/\""),
        ("EXCLUDE_PATHS", ["/a?b"], "'/a?b' has a query string"),
        ("EXCLUDE_PATHS", "/healthz", "list"),
        ("SINKS", {"a": {"BACKEND": "x.Y", "OPTION": {}}}, "'OPTION'"),
        ("REDACT", ["("], "'('"),
    ],
)
def test_the_hint_says_how_to_fix_it(key: str, value: Any, fix: str) -> None:
    assert fix in read({key: value})[1][0].hint


def test_a_mistake_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.ERROR, "signals_demo"),
        override_settings(SIGNALS_DEMO={"MODUS": "inline"}),
    ):
        for _ in range(3):
            config()
    assert [record.getMessage() for record in caplog.records] == [
        "SIGNALS_DEMO has an unknown key: 'MODUS'. Did you mean 'MODE'?"
    ]


# The documentation.

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "settings.md").read_text("utf-8")
SECTIONS = {
    heading.strip("`"): text
    for heading, _, text in (part.partition("\n") for part in DOCUMENT.split("\n## "))
}


def test_the_documentation_has_every_key_with_its_default() -> None:
    assert set(READERS) == {heading for heading in SECTIONS if heading.isupper()}
    for key in READERS:
        value = getattr(Config(), key.lower())
        shown = re.search(r"^Default: `(.*?)`", SECTIONS[key], re.MULTILINE)
        assert shown is not None
        default = ast.literal_eval(shown[1])
        assert default == (list(value) if isinstance(value, tuple) else value), key


def test_the_documentation_quotes_what_is_said_of_a_mistake() -> None:
    quoted = re.findall(r"^- `(\{.*?\})`: (.*)$", DOCUMENT, re.MULTILINE)
    assert len(quoted) == len(READERS) + 1
    for wrong, said in quoted:
        mistakes = read(ast.literal_eval(wrong))[1]
        assert [f"{mistake.message} {mistake.hint}" for mistake in mistakes] == [said]


def test_the_examples_of_the_documentation_are_right() -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    settings_of = []
    for example in examples:
        names: dict[str, Any] = {"DEBUG": True}
        exec(example, names)
        settings_of += [names["SIGNALS_DEMO"]] if "SIGNALS_DEMO" in names else []
    assert len(settings_of) == len(READERS) + 1
    assert [read(values)[1] for values in settings_of] == [[]] * len(settings_of)


def test_one_wrong_pattern_of_redact_leaves_the_others() -> None:
    found, mistakes = read({"REDACT": ["salary", "(a+)+$", "bonus", "("]})
    assert found.redact == ("salary", "bonus")
    assert [mistake.key for mistake in mistakes] == ["REDACT"]
    assert "'(a+)+$' could take very long" in mistakes[0].hint
