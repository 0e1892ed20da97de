"""What a shop's requests, commands and tasks fire: scripts, which are played with other keys."""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

NOTHING = "{}"
USER = -1
"""In `Step.about`: the event is about the user, not about one of the script's objects."""


class Step(NamedTuple):
    """An event of a script. `%s` in its arguments stands for the key of what it is about."""

    signal: str
    sender: str
    depth: int
    times: int = 1
    opened: int | None = None
    """The number of steps since the opening signal of the pair that this one closes."""
    about: int | None = None
    """Which of the script's objects it is about: 0, 1, 2 …"""
    database: str = ""
    outcome: str = ""
    call_site: str = ""
    arguments: str = NOTHING
    changes: str = NOTHING
    exception: str = ""


@dataclass(frozen=True)
class Script:
    """One unit of work. `%s` in its name stands for the key of its first object."""

    origin: str
    name: str
    steps: tuple[Step, ...]
    weight: float
    is_anonymous: bool = False


@dataclass
class _Writer:
    """Writes the steps of one script."""

    outcome: str = "committed"
    site: str = "shop/views.py:42 in page"
    steps: list[Step] = field(default_factory=list)

    def fire(self, signal: str, sender: str = "", **others: object) -> None:
        self.steps.append(Step(signal, sender, **{"depth": 1} | others))  # type: ignore[arg-type]

    def begin(self, sender: str = "django.core.handlers.wsgi.WSGIHandler") -> None:
        self.fire("request_started", sender, depth=0)

    def end(self, sender: str = "django.core.handlers.wsgi.WSGIHandler") -> None:
        self.fire("request_finished", sender, depth=0, opened=len(self.steps))

    def init(self, model: str, about: int | None, times: int = 1) -> None:
        site = {"call_site": self.site, "times": times}
        self.fire("pre_init", model, arguments='{"args":["…"],"kwargs":{}}', **site)
        arguments = f'{{"instance":{{"model":"{model}","pk":"%s"}}}}'
        self.fire("post_init", model, opened=1, about=about, arguments=arguments, **site)

    def rows(self, model: str, number: int, folded: int = 0) -> None:
        for about in range(number):
            self.init(model, about)
        if folded:
            self.init(model, number, folded)

    def save(self, model: str, about: int = 0, *, created: bool = False) -> None:
        instance = f'"instance":{{"model":"{model}","pk":"%s"}},"raw":false,"using":"default"'
        common = {
            "about": about, "database": "default", "outcome": self.outcome, "call_site": self.site,
        }  # fmt: skip
        self.fire("pre_save", model, arguments=f"{{{instance}}}", **common)
        changes = '"state":["open","paid"],"total":[1200,1450]'
        if created:
            changes = '"state":[null,"open"],"total":[null,1200],"note":[null,"by the door"]'
        arguments = f'{{{instance},"created":{str(created).lower()}}}'
        self.fire("post_save", model, opened=1, arguments=arguments, changes=f"{{{changes}}}",
                  **common)  # fmt: skip

    def delete(self, model: str, number: int = 1) -> None:
        common = {"database": "default", "outcome": self.outcome, "call_site": self.site}
        arguments = f'{{"instance":{{"model":"{model}","pk":"%s"}},"using":"default"}}'
        changes = '{"state":["open",null],"total":[1200,null]}'
        for signal, opened in (("pre_delete", None), ("post_delete", number)):
            for about in range(number):
                self.fire(signal, model, about=about, opened=opened, arguments=arguments,
                          changes=changes, **common)  # fmt: skip

    def link(self, through: str, model: str) -> None:
        for action, opened in (("pre_add", None), ("post_add", 1)):
            self.fire(
                "m2m_changed", through, about=0, opened=opened, database="default",
                outcome=self.outcome, call_site=self.site,
                arguments=f'{{"instance":{{"model":"{model}","pk":"%s"}},"action":"{action}",'
                '"reverse":false,"pk_set":[3,14,15],"using":"default"}',
            )  # fmt: skip

    def fail(self, exception: str) -> None:
        self.fire("got_request_exception", exception=exception, call_site=self.site)

    def script(self, origin: str, name: str, weight: float, **others: bool) -> Script:
        return Script(origin, name, tuple(self.steps), weight, **others)


# The first ones are fired for most; the last ones hardly ever.
MODELS = (
    "shop.Product", "shop.Order", "shop.Basket", "shop.OrderLine", "shop.Customer", "shop.Stock",
    "shop.Payment", "shop.Price", "shop.Review", "shop.Parcel", "shop.Voucher", "shop.Category",
    "shop.Return", "shop.Supplier", "shop.Question", "shop.Refund", "shop.Banner", "shop.Letter",
    "shop.Currency", "shop.Country",
)  # fmt: skip


def _of_model(number: int, model: str) -> list[Script]:
    """Return what is done with one model: the more seldom, the later it stands in the list."""
    name, share = model.partition(".")[2].lower(), 1 / (number + 1) ** 1.6
    found = []

    for is_anonymous in (True, False):
        writer = _Writer(site=f"shop/views.py:{61 + number} in {name}_list")
        writer.begin()
        if not is_anonymous:
            writer.init("auth.User", USER)
        writer.rows(model, 8, folded=75)
        writer.end()
        found.append(writer.script("request", f"GET /{name}/", 14 * share,
                                   is_anonymous=is_anonymous))  # fmt: skip

        writer = _Writer(site=f"shop/views.py:{88 + number} in {name}_page")
        writer.begin()
        if not is_anonymous:
            writer.init("auth.User", USER)
        writer.rows(model, 1)
        writer.end()
        found.append(writer.script("request", f"GET /{name}/%s/", 24 * share,
                                   is_anonymous=is_anonymous))  # fmt: skip

    for outcome, exception, weight in (
        ("committed", "", 20),
        ("rolled_back", "IntegrityError: duplicate key value", 0.3),
    ):
        writer = _Writer(outcome, f"shop/admin.py:{30 + number} in save_model")
        writer.begin()
        writer.init("auth.User", USER)
        writer.rows(model, 1)
        writer.save(model)
        if number % 4 == 0:
            writer.link(f"{model}_tags", model)
        writer.save("admin.LogEntry", 1, created=True)
        if exception:
            writer.fail(exception)
        writer.end()
        found.append(
            writer.script("request", f"POST /admin/shop/{name}/%s/change/", weight * share)
        )

    writer = _Writer(site=f"shop/admin.py:{95 + number} in delete_model")
    writer.begin()
    writer.init("auth.User", USER)
    writer.delete(model)
    writer.save("admin.LogEntry", 1, created=True)
    writer.end()
    found.append(writer.script("request", f"POST /admin/shop/{name}/%s/delete/", 1.5 * share))

    writer = _Writer(site=f"shop/tasks.py:{20 + number} in refresh_{name}")
    result = '{"task_result":{"task":"shop.tasks.refresh","status":"RUNNING"}}'
    writer.fire("task_started", "django.tasks.Backend", depth=0, arguments=result)
    writer.rows(model, 3)
    writer.save(model)
    writer.fire("task_finished", "django.tasks.Backend", depth=0, opened=len(writer.steps),
                arguments=result)  # fmt: skip
    found.append(writer.script("task", f"shop.tasks.refresh_{name}", 4 * share))
    return found


def _checkout() -> Script:
    writer = _Writer(site="shop/checkout.py:57 in check_out")
    writer.begin()
    writer.init("auth.User", USER)
    writer.rows("shop.Basket", 1)
    writer.save("shop.Order", created=True)
    for line in range(4):
        writer.init("shop.OrderLine", line)
        writer.save("shop.OrderLine", line, created=True)
        writer.save("shop.Stock", line)
    writer.save("shop.Payment", created=True)
    writer.fire("task_enqueued", "django.tasks.Backend",
                arguments='{"task_result":{"task":"shop.tasks.send_receipt"}}')  # fmt: skip
    writer.end()
    return writer.script("request", "POST /checkout/", 5)


def _accounts() -> list[Script]:
    login = _Writer(site="django/contrib/auth/views.py:90 in LoginView.form_valid")
    login.begin()
    login.init("auth.User", USER)
    user = '{"user":{"model":"auth.User","pk":"%s"}}'
    login.fire("user_logged_in", "auth.User", about=USER, arguments=user)
    login.save("sessions.Session", created=True)
    login.end()

    refused = _Writer(site="django/contrib/auth/forms.py:244 in AuthenticationForm.clean")
    refused.begin()
    refused.init("auth.User", 0)
    refused.fire("user_login_failed", "django.contrib.auth",
                 arguments='{"credentials":{"username":"admin","password":"•••"}}')  # fmt: skip
    refused.end()

    logout = _Writer(site="django/contrib/auth/views.py:131 in LogoutView.post")
    logout.begin()
    logout.init("auth.User", USER)
    logout.fire("user_logged_out", "auth.User", about=USER, arguments=user)
    logout.delete("sessions.Session")
    logout.end()
    return [
        login.script("request", "POST /accounts/login/", 3),
        refused.script("request", "POST /accounts/login/", 0.8, is_anonymous=True),
        logout.script("request", "POST /accounts/logout/", 1),
    ]


def _failed_page() -> Script:
    writer = _Writer(site="shop/reports.py:12 in report")
    writer.begin()
    writer.fail("ZeroDivisionError: division by zero")
    writer.end()
    return writer.script("request", "GET /reports/%s/", 0.4, is_anonymous=True)


def _commands() -> list[Script]:
    clear = _Writer(site="django/contrib/sessions/backends/db.py:98 in clear_expired")
    clear.rows("sessions.Session", 20, folded=180)
    clear.delete("sessions.Session", 20)

    deploy = _Writer(site="")
    for app in ("auth", "contenttypes", "shop"):
        arguments = f'{{"app_config":"{app}","verbosity":1,"using":"default"}}'
        deploy.fire("pre_migrate", app, depth=0, database="default", arguments=arguments)
        deploy.fire("post_migrate", app, depth=0, database="default", arguments=arguments,
                    opened=1)  # fmt: skip

    start = _Writer(site="")
    for number in range(60):
        start.fire("class_prepared", MODELS[number % len(MODELS)], depth=0)
    start.fire("connection_created", "django.db.backends.postgresql.base.DatabaseWrapper", depth=0,
               database="default", arguments='{"connection":{"alias":"default"}}')  # fmt: skip

    killed = _Writer("open", "shop/imports.py:31 in read")
    for number in range(5):
        killed.save("shop.Supplier", number, created=True)

    shell = _Writer(site="<console>:1 in <module>")
    shell.rows("auth.User", 2)
    return [
        clear.script("command", "clearsessions", 0.02, is_anonymous=True),
        deploy.script("command", "migrate", 0.002, is_anonymous=True),
        start.script("process", "", 0.02, is_anonymous=True),
        killed.script("command", "import_suppliers", 0.0006, is_anonymous=True),
        shell.script("shell", "", 0.002, is_anonymous=True),
    ]


def long_script(events: int) -> Script:
    """Return an import: one trace of so many events, with four for each row of the file."""
    writer = _Writer(site="shop/imports.py:88 in Import.handle")
    for number in range(events // 4):
        writer.init("shop.Product", number)
        writer.save("shop.Product", number, created=True)
    return writer.script("command", LONG, 0, is_anonymous=True)


LONG = "import_products"
SCRIPTS = [
    *(script for number, model in enumerate(MODELS) for script in _of_model(number, model)),
    _checkout(), *_accounts(), _failed_page(), *_commands(),
]  # fmt: skip
CUMULATED = list(accumulate(script.weight for script in SCRIPTS))
