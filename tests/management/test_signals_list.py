"""`manage.py signals_list`, in projects of their own and with every option."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.recording import Project

pytestmark = pytest.mark.processes

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "receivers.md"
WIDTH = 80

SHOP = {
    "__init__.py": "",
    "apps.py": """
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from shop import receivers
""",
    "models.py": """
from django.db import models


class Stamped(models.Model):
    class Meta:
        abstract = True


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Order(Stamped):
    tags = models.ManyToManyField(Tag)
""",
    "signals.py": """
from django.dispatch import Signal

order_paid = Signal()
""",
    "receivers.py": """
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver

from shop.models import Order, Stamped
from shop.signals import order_paid


@receiver(post_save, sender=Order)
def send_confirmation(sender, instance, **kwargs): ...


@receiver(m2m_changed, sender=Order)
def note_tags(sender, instance, action, **kwargs): ...


@receiver(post_save, sender=Stamped)
def stamp(sender, instance, **kwargs): ...


@receiver(order_paid)
async def thank(sender, **kwargs): ...


@receiver(order_paid, dispatch_uid="shop.ship", weak=False)
def ship(sender, **kwargs): ...


post_save.connect(send_confirmation, dispatch_uid="confirmation")
""",
    "handlers.py": """
from django.db.models.signals import post_delete
from django.dispatch import receiver


@receiver(post_delete)
def put_back(sender, **kwargs): ...
""",
    "middleware.py": """
from django.core.signals import request_finished


def count(**kwargs): ...


request_finished.connect(count)


def counting(get_response):
    return get_response
""",
}

VIEWS = """
from django.db.models.signals import post_delete
from django.dispatch import receiver


@receiver(post_delete)
def restock(sender, **kwargs): ...


urlpatterns = []
"""

MORE_SETTINGS = """
INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages", "shop"]
MIDDLEWARE += ["shop.middleware.counting"]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which everything is done wrong once."""
    folder = tmp_path_factory.mktemp("shop") / "project"
    project = Project.make(folder, views=VIEWS)
    settings = folder / "settings.py"
    settings.write_text(settings.read_text() + MORE_SETTINGS)
    (folder / "shop").mkdir()
    for name, text in SHOP.items():
        (folder / "shop" / name).write_text(text.lstrip())
    return project


@pytest.fixture(scope="module")
def told(shop: Project) -> str:
    return shop.manage("signals_list").stdout


@pytest.fixture(scope="module")
def data(shop: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.manage("signals_list", "--json", "--all").stdout)
    return found


def receivers(data: dict[str, Any], signal: str) -> list[dict[str, Any]]:
    (found,) = [each for each in data["signals"] if each["name"] == signal]
    own = ("django", "signals_demo")
    return [each for each in found["receivers"] if each["owner"] not in own]


def wrong(data: dict[str, Any]) -> dict[str, list[str]]:
    return {
        f"{signal['name']} {each['name'].rpartition('.')[2]}": [
            p["code"] for p in each["problems"]
        ]
        for signal in data["signals"]
        for each in signal["receivers"]
        if each["problems"]
    }


# A project in which things are wrong


def test_what_looks_wrong_is_found(data: dict[str, Any]) -> None:
    assert wrong(data) == {
        "post_save stamp": ["never"],
        "post_save send_confirmation": ["twice"],
        "m2m_changed note_tags": ["never"],
        "post_delete restock": ["late"],
    }
    # In a process without requests it is not missed.
    assert [each["name"] for each in receivers(data, "request_finished")] == [
        "shop.middleware.count"
    ]
    assert data["not_imported"] == [{"module": "shop.handlers", "file": "shop/handlers.py"}]


def test_the_shape_of_the_json(data: dict[str, Any]) -> None:
    first, second, third = receivers(data, "post_save")
    assert (first["position"], second["position"], third["position"]) == (2, 3, 4)
    assert third | {"problems": []} == {
        "position": 4,
        "count": 1,
        "name": "shop.receivers.send_confirmation",
        "file": "shop/receivers.py",
        "line": 8,
        "owner": "project",
        "sender": None,
        "dispatch_uid": "confirmation",
        "weak": True,
        "async": False,
        "problems": [],
    }
    assert first["sender"] == "shop.Order"
    assert third["problems"][0].keys() == {"code", "message", "fix"}
    (paid,) = [each for each in data["signals"] if each["name"] == "shop.signals.order_paid"]
    assert (paid["family"], paid["owner"]) == (None, "project")
    assert [(each["name"], each["async"], each["weak"]) for each in paid["receivers"]] == [
        ("shop.receivers.ship", False, False),
        ("shop.receivers.thank", True, True),
    ]


def test_the_documentation_has_every_key_of_the_json(data: dict[str, Any]) -> None:
    keys = set(data) | set(data["signals"][0]) | set(receivers(data, "post_save")[0])
    described = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert keys <= described


def test_the_documentation_shows_what_is_printed(told: str) -> None:
    # How many receivers Django itself has, the last line says.
    assert told.rpartition(" of Django")[0].rpartition("\n")[0] in DOCS.read_text()


def test_it_can_be_read_at_eighty_columns(shop: Project) -> None:
    lines = shop.manage("signals_list", "--all").stdout.splitlines()
    assert len(lines) > 100
    assert [line for line in lines if len(line) > WIDTH] == []


def test_the_receivers_of_a_sender(shop: Project) -> None:
    told = shop.manage("signals_list", "--sender", "SHOP.order").stdout
    assert "send_confirmation" in told
    assert "ship" in told
    assert "shop.Stamped" not in told
    assert "request_finished" not in told
    assert "restock" in told


def test_only_what_looks_wrong(shop: Project) -> None:
    told = shop.manage("signals_list", "--problems").stdout
    assert "stamp" in told
    assert "shop/handlers.py" in told
    assert "order_paid" not in told
    assert "5 have problems." in told


def test_failing_is_asked_for(shop: Project) -> None:
    assert shop.call("manage.py", "signals_list", "--problems").returncode == 0
    failed = shop.call("manage.py", "signals_list", "--fail", "--json")
    assert failed.returncode == 1
    assert wrong(json.loads(failed.stdout))
    assert "There are problems." in failed.stderr
    assert shop.call("manage.py", "signals_list", "--fail", "--signal", "pre_save").returncode == 0


def test_colour(shop: Project, told: str) -> None:
    coloured = shop.manage("signals_list", "--force-color").stdout
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == told
    assert "\x1b[" not in shop.manage("signals_list", "--no-color").stdout


def test_a_module_that_cannot_be_imported_hides_nothing_else(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", views="import no_such_module")
    done = project.manage("signals_list", "--all")
    assert "update_last_login" in done.stdout
    assert "views cannot be imported: No module named 'no_such_module'" in done.stderr


# A project in which nothing is wrong


@pytest.mark.parametrize("debug", [True, False])
def test_a_fresh_project_has_nothing_wrong(tmp_path: Path, debug: bool) -> None:
    call_command("startproject", "mysite", str(tmp_path))
    settings = tmp_path / "mysite" / "settings.py"
    text = settings.read_text().replace("DEBUG = True", f"DEBUG = {debug}")
    settings.write_text(f"{text}\nINSTALLED_APPS.append('signals_demo')\n")
    told = Project(tmp_path).manage("signals_list", "--fail")
    assert told.stdout.startswith("0 receivers. No problems found.\n")
    everything = Project(tmp_path).manage("signals_list", "--all", "--fail")
    assert "update_last_login" in everything.stdout
    assert "!" not in everything.stdout
    assert told.stderr == everything.stderr == ""


# The demo project, in this process


def printed(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("signals_list", *arguments, stdout=out, **options)
    return out.getvalue()


def test_own_receivers_are_left_out_unless_they_are_asked_for() -> None:
    assert "update_last_login" not in printed()
    assert "use --all" in printed()
    everything = printed("--all")
    assert "update_last_login" in everything
    assert "signals_demo.post_save" in everything
    assert "use --all" not in everything
    assert "update_last_login" in printed("--signal=user_logged_in")


@pytest.mark.parametrize(
    "name", ["post_save", "django.db.models.signals.post_save"], ids=["name", "path"]
)
def test_one_signal(name: str) -> None:
    told = printed("--signal", name)
    assert "count_copies" in told
    assert "post_delete" not in told


@pytest.mark.parametrize(
    ("option", "name", "near"),
    [
        ("signal", "post_sav", "'post_save'"),
        ("signal", "nothing like it", ""),
        ("sender", "playground.Bok", "'playground.Book'"),
        ("sender", "book", "'playground.Book'"),
    ],
)
def test_a_name_that_is_not_there(option: str, name: str, near: str) -> None:
    with pytest.raises(CommandError) as raised:
        printed(f"--{option}", name)
    assert f"--{option}" in str(raised.value)
    assert repr(name) in str(raised.value)
    assert ("Did you mean" in str(raised.value)) is bool(near)
    assert near in str(raised.value)
