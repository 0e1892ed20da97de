"""Which parts of a path are masked."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path

from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.secret_paths import masked_path
from tests.factories import UserFactory

TOKEN = "cth8h5-0123456789abcdef0123456789abcdef"


def view(request: Any, **kwargs: Any) -> HttpResponse:
    raise AssertionError("No view is called.")


def boom(value: str) -> str:
    raise AssertionError("No converter is called.")


URLS: list[Any] = [
    path("accounts/", include("django.contrib.auth.urls")),
    path("orders/<int:pk>/", view),
    path("confirm/<str:api_key>/then/<slug:name>/", view),
    re_path(r"^old/(?P<token>\w+)/(?P<page>\d+)/$", view),
    path("nested/<str:pin>/", include([path("inner/<str:secret>/", view), path("", view)])),
    *i18n_patterns(path("invite/<str:token>/", view)),
    re_path(r"^files/(.+)$", view),
]


@pytest.fixture(autouse=True)
def urlconf() -> Iterator[None]:
    module = ModuleType("urls_with_secrets")
    module.urlpatterns = URLS  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    with override_settings(ROOT_URLCONF=module.__name__):
        yield
    del sys.modules[module.__name__]


def masked(given: str) -> str:
    return masked_path(given, Redactor())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/", "/"),
        ("", ""),
        ("/orders/17/", "/orders/17/"),
        (f"/accounts/reset/MQ/{TOKEN}/", f"/accounts/reset/MQ/{MASK}/"),
        ("/confirm/hunter2/then/done/", f"/confirm/{MASK}/then/done/"),
        ("/old/hunter2/7/", f"/old/{MASK}/7/"),
        ("/nested/hunter2/inner/hunter2/", f"/nested/{MASK}/inner/{MASK}/"),
        ("/nested/hunter2/", f"/nested/{MASK}/"),
        ("/en/invite/hunter2/", f"/en/invite/{MASK}/"),
        ("/pt-br/invite/hunter2/", f"/pt-br/invite/{MASK}/"),
        ("/files/a/b", "/files/a/b"),
    ],
)
def test_arguments_named_like_secrets_are_masked(given: str, shown: str) -> None:
    assert masked(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"/gone/{TOKEN}/", f"/gone/{MASK}/"),
        ("/gone/eyJhbGciOiJIUzI1NiJ9.e30.abc-DEF_123/", f"/gone/{MASK}/"),
        ("/static/css/base.min.12ab34cd56ef.css", "/static/css/base.min.12ab34cd56ef.css"),
        ("/blog/the-10-best-books-of-2030-so-far/", "/blog/the-10-best-books-of-2030-so-far/"),
        ("/x/6f1c2f6e-7d2b-4a55-9d7c-0123456789ab/", "/x/6f1c2f6e-7d2b-4a55-9d7c-0123456789ab/"),
    ],
)
def test_a_path_that_no_pattern_knows_loses_what_looks_random(given: str, shown: str) -> None:
    assert masked(given) == shown


@pytest.mark.django_db
def test_the_link_of_a_password_reset_is_masked() -> None:
    token = default_token_generator.make_token(UserFactory.create())
    assert token not in masked(f"/accounts/reset/MQ/{token}/")


def test_no_module_is_imported_for_it() -> None:
    with override_settings(ROOT_URLCONF="never_imported_urls"):
        assert masked(f"/reset/{TOKEN}/") == f"/reset/{MASK}/"
    assert "never_imported_urls" not in sys.modules


@pytest.mark.parametrize("urls", [None, 5, [5, None], "signals_demo.nothing"])
def test_odd_patterns_cost_nothing_but_the_names(urls: Any) -> None:
    with override_settings(ROOT_URLCONF=urls):
        assert masked("/orders/17/") == "/orders/17/"


def test_a_long_path_is_bounded() -> None:
    assert len(masked("/" + "a/" * 100_000)) <= 1000
