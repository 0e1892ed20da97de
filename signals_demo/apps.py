from types import ModuleType
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from signals_demo.capture import lazy
from signals_demo.inspection import startup

# The functions import what they need, so that a process loads only what it uses.


def check(**kwargs: Any) -> list[checks.CheckMessage]:
    """Check the settings, as `manage.py check` does."""
    from signals_demo.checks import check_settings

    return check_settings(**kwargs)


def check_deployment(**kwargs: Any) -> list[checks.CheckMessage]:
    """Check the settings of a site at work, as `manage.py check --deploy` does."""
    from signals_demo.checks import check_deployment

    return check_deployment(**kwargs)


class SignalsDemoConfig(AppConfig):
    name = "signals_demo"
    label = "signals_demo"
    verbose_name = _("Signals")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType) -> None:
        super().__init__(app_name, app_module)
        lazy.start_early()

    def ready(self) -> None:
        lazy.start()
        checks.register(check, "signals_demo")
        checks.register(check_deployment, "signals_demo", deploy=True)
        startup.watch()
