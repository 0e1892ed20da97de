"""What is masked, by name and by place."""

import pytest

from signals_demo.serialize.redaction import MASK, Redactor

redactor = Redactor()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "user_pass",
        "SECRET_KEY",
        "secret",
        "api_key",
        "API",
        "apiToken",
        "access_token",
        "csrfmiddlewaretoken",
        "X-CSRFToken",
        "xsrf",
        "signature",
        "Authorization",
        "HTTP_AUTHORIZATION",
        "oauth2",
        "HTTP_COOKIE",
        "Cookie",
        "session_data",
        "sessionid",
        "session_key",
        "private_exponent",
        "credentials",
        "user[password]",
        "author_token",
        "x" * 5000 + "password",
    ],
)
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert redactor.is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["name", "author", "authors", "author_id", "AUTHOR", "authored_at", "authorship", "title",
     "session", "session_count", "sessions", "id", "pk", "", "x" * 5000],
)  # fmt: skip
def test_other_names_are_not(name: str) -> None:
    assert not redactor.is_secret(name)


def test_patterns_of_the_setting_come_on_top() -> None:
    redactor = Redactor(["iban", r"^note$"])
    assert redactor.is_secret("customer_IBAN")
    assert redactor.is_secret("note")
    assert not redactor.is_secret("notes")
    assert redactor.is_secret("password")


def test_patterns_do_not_disturb_each_other() -> None:
    redactor = Redactor(["(?i)iban", r"(?P<x>a)(?P=x)z", r"(?P<x>b)\1y", "c|d"])
    names = ("IBAN", "aaz", "bby", "d", "az", "y")
    assert [name for name in names if redactor.is_secret(name)] == ["IBAN", "aaz", "bby", "d"]


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
