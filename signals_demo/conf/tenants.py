"""Which models belong to one tenant, as the settings of django-tenants say it."""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings


def public_schema() -> str:
    """Return the name of the schema that all tenants share."""
    return str(getattr(settings, "PUBLIC_SCHEMA_NAME", "public"))


def is_shared(app_label: str) -> bool:
    """Return whether the tables of an app are in the schema that all tenants share."""
    names = set(_apps_of_tenants())
    if not names:
        return False
    try:
        app = apps.get_app_config(app_label)
    except LookupError:
        return False
    kind = type(app)
    return names.isdisjoint((app.name, f"{kind.__module__}.{kind.__qualname__}"))


def _apps_of_tenants() -> Iterator[str]:
    yield from getattr(settings, "TENANT_APPS", ())
    for name, kind in getattr(settings, "TENANT_TYPES", {}).items():
        if name != public_schema():
            yield from kind.get("APPS", ())
