"""The actions that are measured, in bursts, as one request would make them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application

from benchmarks.shop.models import Product

ROWS = 500
KEPT, SOLD = "kept", "sold"


class Action(NamedTuple):
    name: str
    run: Callable[[], object]
    times: int
    is_one_query: bool = False
    """Whether `times` counts the rows of one queryset."""
    prepare: Callable[[], object] = tuple
    in_transaction: bool = True


def product(number: int, code: str = SOLD) -> Product:
    return Product(name=f"product {number}", code=code, price=1990, stock=3)


def stock_up() -> None:
    """Fill the shop, unless it is full."""
    if not Product.objects.filter(code=KEPT).exists():
        Product.objects.bulk_create(product(number, KEPT) for number in range(ROWS))
        User.objects.create_user("ada", password="analytical")


def environ(method: str, path: str, form: bytes = b"") -> dict[str, Any]:
    """Return what a server makes of a request. Not by Django's test client: no site loads that."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(form)),
        "CONTENT_TYPE": "application/x-www-form-urlencoded" if form else "",
        "wsgi.input": BytesIO(form),
    }
    setup_testing_defaults(made)
    return made


class Shop:
    """Products and requests, and what is done with them."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._products: list[Product] = []
        self._environs: list[dict[str, Any]] = []
        self._handler = get_wsgi_application()
        stock_up()

    def actions(self) -> Iterator[Action]:
        """Yield the actions in an order in which each finds what the one before has left."""
        burst = self._burst
        yield Action("create", self._create, burst)
        yield Action("update", self._update, burst)
        yield Action("delete", self._delete, burst)
        yield Action("queryset delete", self._sell_out, burst, True, self._fill)
        yield Action("row read", self._read, ROWS, True)
        yield Action("request", self._request, burst, False, self._ask, False)
        yield Action("login", self._request, burst, False, self._ask_in, False)

    def _create(self) -> None:
        self._products = [
            Product.objects.create(name=f"product {number}", code=SOLD, price=1990, stock=3)
            for number in range(self._burst)
        ]

    def _update(self) -> None:
        for one in self._products:
            one.stock += 1
            one.save()

    def _delete(self) -> None:
        for one in self._products:
            one.delete()

    def _fill(self) -> None:
        Product.objects.bulk_create(product(number) for number in range(self._burst))

    def _sell_out(self) -> None:
        Product.objects.filter(code=SOLD).delete()

    def _read(self) -> None:
        list(Product.objects.all()[:ROWS])

    def _ask(self) -> None:
        self._environs = [environ("GET", "/page/") for _ in range(self._burst)]

    def _ask_in(self) -> None:
        form = urlencode({"name": "ada", "password": "analytical"})
        self._environs = [environ("POST", "/login/", form.encode()) for _ in range(self._burst)]

    def _request(self) -> None:
        for environ in self._environs:
            with closing(self._handler(environ, lambda status, headers: None)) as response:
                b"".join(response)
