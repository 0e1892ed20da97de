from types import ModuleType

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _

from signals_demo import receivers, startup
from signals_demo.checks import check_settings


class SignalsDemoConfig(AppConfig):
    name = "signals_demo"
    label = "signals_demo"
    verbose_name = _("Signals")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType) -> None:
        super().__init__(app_name, app_module)
        receivers.connect_early()

    def ready(self) -> None:
        receivers.connect()
        setting_changed.connect(receivers.reconnect, dispatch_uid="signals_demo.receivers")
        checks.register(check_settings, "signals_demo")
        startup.note()
