"""What is masked in text."""

import time
from collections.abc import Callable
from itertools import product

import pytest

from signals_demo.serialize.redaction import MASK, Redactor

redactor = Redactor()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", ""),
        ("page=2&sort=name", "page=2&sort=name"),
        ("token=x", f"token={MASK}"),
        ("a=1&password=x&b=2", f"a=1&password={MASK}&b=2"),
        ("p%61ssword=x", f"p%61ssword={MASK}"),
        ("%70%61%73%73=x", f"%70%61%73%73={MASK}"),
        ("api+key=x", f"api+key={MASK}"),
        ("user[password]=x", f"user[password]={MASK}"),
        ("password=a=b", f"password={MASK}"),
        ("a=1;token=x", f"a=1;token={MASK}"),
        ("token", "token"),
        ("token=x&token=y", f"token={MASK}&token={MASK}"),
        ("=x", "=x"),
        ("&&==&", "&&==&"),
    ],
)
def test_query_strings_lose_the_values_of_secret_parameters(given: str, shown: str) -> None:
    assert redactor.query_string(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://shop.example/a?page=2#top", "https://shop.example/a?page=2#top"),
        ("https://shop.example/a?next=/&token=x", f"https://shop.example/a?next=/&token={MASK}"),
        ("/relative?token=x", f"/relative?token={MASK}"),
        ("https://a.example/#access_token=x&page=1",
         f"https://a.example/#access_token={MASK}&page=1"),
        ("postgres://ada:x@db:5432/shop", f"postgres://ada:{MASK}@db:5432/shop"),
        ("redis://:x@cache/0", f"redis://:{MASK}@cache/0"),
        ("amqp://ada:x@y@mq/", f"amqp://ada:{MASK}@mq/"),
        ("amqp://ada:x/y@mq/", f"amqp://ada:{MASK}@mq/"),
        ("http://shop.example:8000/?mail=a@b.c", "http://shop.example:8000/?mail=a@b.c"),
        ("redis://a:x@one,redis://b:y@two", f"redis://a:{MASK}@one,redis://b:{MASK}@two"),
        ("see https://a.example/?token=x and page=1",
         f"see https://a.example/?token={MASK} and page=1"),
    ],
)  # fmt: skip
def test_urls_lose_passwords_and_secret_parameters(given: str, shown: str) -> None:
    assert redactor.urls(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("the card was refused (code 51)", "the card was refused (code 51)"),
        ("stock=3 is too little", "stock=3 is too little"),
        ("Key (session_key)=(abc d) already exists.",
         f"Key (session_key)={MASK} already exists."),
        ("Key (user_id, api_token)=(3, abc) already exists.",
         f"Key (user_id, api_token)={MASK} already exists."),
        ("Key (email)=(a@b.c) already exists.", "Key (email)=(a@b.c) already exists."),
        ("bad form {'password': 'a b', 'page': 1}", f"bad form {{'password': {MASK}, 'page': 1}}"),
        ('{"api_key": "x"}', f'{{"api_key": {MASK}}}'),
        ("connect failed: host=db password=x port=1",
         f"connect failed: host=db password={MASK} port=1"),
        ("no redis://:x@cache/0", f"no redis://:{MASK}@cache/0"),
        ("refused: Bearer abc.def-ghi==", f"refused: Bearer {MASK}"),
    ],
)  # fmt: skip
def test_messages_lose_the_secrets_that_they_name(given: str, shown: str) -> None:
    assert redactor.message(given) == shown


SECRET = "hunter2"


@pytest.mark.parametrize(
    "query",
    [
        "next=https://shop.example/join?token=hunter2",
        "next=/join?token=hunter2",
        "next=%2Fjoin%3Ftoken%3Dhunter2",
        "next=%252Fjoin%253Ftoken%253Dhunter2",
        "redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fapi_key%3Dhunter2%26x%3D1",
        "filter=%7B%22password%22%3A%22hunter2%22%7D",
        "db=postgres%3A%2F%2Fada%3Ahunter2%40db%2Fshop",
        "code=hunter2&state=5",
        "session=hunter2",
        "SAMLResponse=hunter2",
    ],
)
def test_a_secret_inside_a_parameter_is_masked(query: str) -> None:
    assert SECRET not in redactor.query_string(f"page=2&{query}&sort=name")
    assert SECRET not in redactor.urls(f"https://shop.example/a?page=2&{query}")


@pytest.mark.parametrize(
    "query", ["next=%2Fbooks%3Fpage%3D2", "q=a%20b", "filter=%7B%22page%22%3A2%7D", "x=%", "x=%zz"]
)
def test_a_parameter_without_a_secret_stays_as_it_was_written(query: str) -> None:
    assert redactor.query_string(query) == query


@pytest.mark.parametrize(
    "text",
    [
        "https://hunter2@git.example/repo",
        "https://hunter2:x-oauth-basic@git.example/repo",
        "https://hunter2:@api.example/",
        "https://public:hunter2@errors.example/1",
        "mysql+pymysql://ada:hunter2@db/shop",
    ],
)
def test_a_token_in_the_place_of_a_user_is_masked(text: str) -> None:
    assert SECRET not in redactor.urls(text)


def test_the_usual_user_of_git_is_no_secret() -> None:
    assert redactor.urls("ssh://git@git.example/repo") == "ssh://git@git.example/repo"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"password": "hunter2"}}',
        '{"pin": 1234, "codes": {"recovery_codes": ["hunter2"]}}',
        '[["Authorization", "hunter2"], ["Accept", "*/*"]]',
        '{"name": "password", "value": "hunter2"}',
        '[{"key": "api_key", "values": ["hunter2"]}]',
        '{"inner": "{\\"pin\\": \\"hunter2\\"}"}',
        '{"url": "https://shop.example/?token=hunter2"}',
        '{"recovery_codes": ["hunter2", "cut off he',
        '{"password": "hunter2 cut off he',
        "host=db user=ada password=hunter2",
        "password='hunter2' host=db",
        "Bearer hunter2",
    ],
)
def test_text_that_is_json_or_an_address_loses_its_secrets(text: str) -> None:
    assert SECRET not in redactor.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "just words",
        "1 + 1 = 2",
        '{"author": "Ada", "compass_heading": 5}',
        '{ "spaces":  "stay" }',
        "the bearer of good news",
        "[1, 2, 3]",
        "{not json",
        "Basic knowledge of tokens",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redactor.text(text) == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("(1062, \"Duplicate entry 'hunter2' for key 'PRIMARY'\")",
         f"(1062, \"Duplicate entry {MASK} for key 'PRIMARY'\")"),
        ("Duplicate entry 'it's hunter2' for key 'shop.pin'",
         f"Duplicate entry {MASK} for key 'shop.pin'"),
        ("Incorrect integer value: 'hunter2' for column `a`.`b` at row 1",
         f"Incorrect integer value: {MASK} for column `a`.`b` at row 1"),
        ('invalid input syntax for type integer: "hunter2"\nLINE 1: VALUES (\'hunter2\', 3)',
         f"invalid input syntax for type integer: {MASK}\nLINE 1: VALUES ({MASK}, 3)"),
        ("DETAIL:  Failing row contains (1, hunter2, (x)).",
         f"DETAIL:  Failing row contains {MASK}."),
        ("ada:hunter2@tcp(db:3306)/shop", f"ada:{MASK}@tcp(db:3306)/shop"),
        ("X-Api-Key: hunter2\nAccept: */*", f"X-Api-Key: {MASK}\nAccept: */*"),
        ("Authorization: Basic aHVudGVyMg==", f"Authorization: {MASK}"),
        ("refused Token hunter2ab", f"refused Token {MASK}"),
        ("pin='hun\\'hunter2'", f"pin={MASK}"),
    ],
)  # fmt: skip
def test_messages_lose_what_databases_and_servers_quote(given: str, shown: str) -> None:
    assert redactor.message(given) == shown


UNITS = [
    "@", "://", "=", "a=", "a=(", "a=[", "a={", 'a="', "a='", "(a:", "a:b@", "?a=", "&", "?",
    "%25",
    "Duplicate entry '", "Failing row contains (", "LINE 1: '", "\n", " ", "basic ", "bearer ",
    "[", "{", "\\", '"', "'", "a.", "https://a:", "token=x&", '{"a":', "value: '", "%3D",
]  # fmt: skip


@pytest.mark.parametrize(
    "mask", [redactor.query_string, redactor.urls, redactor.text, redactor.message]
)
def test_no_text_costs_more_than_linear_time(mask: Callable[[str], str]) -> None:
    """Text made to hurt: each pair of what the patterns look for, repeated."""

    def seconds(unit: str, length: int) -> float:
        text = (unit * length)[:length]
        began = time.process_time()
        mask(text)
        return time.process_time() - began

    # Some 3 and 15 ms as a rule; quadratic, seconds. The first one picks what the second looks at.
    slow = [
        one + two
        for one, two in product(UNITS, ["", *UNITS])
        if seconds(one + two, 1600) > 0.006 and seconds(one + two, 8000) > 0.25
    ]
    assert slow == []
