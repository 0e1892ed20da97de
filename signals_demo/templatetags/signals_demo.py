"""`{% load signals_demo %}`: the history of an object, on any page of the project."""

from datetime import datetime
from typing import Any

from django import template
from django.db import DatabaseError
from django.db.models import Model
from django.template import Context
from django.utils.html import format_html

from signals_demo.models import SignalEvent
from signals_demo.query.history import key_of, of_object
from signals_demo.query.isolated import isolated
from signals_demo.rollups.traces import IS_CHANGE
from signals_demo.web.links import links_from_outside, may_read
from signals_demo.web.static_files import file_url
from signals_demo.web.timeline import days
from signals_demo.web.times import ago

register = template.Library()


@register.filter
def signals_ago(moment: datetime) -> str:
    """Return how long ago a time was, in words."""
    return ago(moment)


@register.simple_tag(takes_context=True)
def signals_nonce(context: Context) -> str:
    """Return the nonce attribute of Django's Content-Security-Policy; empty where there is none.

    Django 6.1 has `csp_nonce_attr` for it; 6.0 has only the variable, and 5.2 no policy.
    """
    nonce = context.get("csp_nonce")
    return "" if nonce is None else format_html('nonce="{}"', nonce)


@register.simple_tag(takes_context=True)
def signals_style(context: Context, name: str) -> str:
    """Return the link to one of our style sheets, for the pages of the log."""
    url = file_url(f"{name}.css")
    return format_html('<link rel="stylesheet" href="{}" {}>', url, signals_nonce(context))


@register.simple_tag(takes_context=True)
def signals_script(context: Context, name: str) -> str:
    """Return the element of one of our scripts, for the pages of the log."""
    url = file_url(f"{name}.js")
    return format_html('<script src="{}" defer {}></script>', url, signals_nonce(context))


@register.inclusion_tag("signals_demo/signal_history.html", takes_context=True)
def signal_history(
    context: Context, instance: Model, limit: int = 20, public: bool = False
) -> dict[str, Any]:
    """Show the latest changes of a model instance to those who may read the log.

    With `public=True`, anyone who sees the page sees what changed, when and by whom, but no
    request, address or call site, and no link into the admin.
    """
    # Only the request's: a page about a user may have another `user` in its context.
    user = getattr(context.get("request"), "user", None)
    can_read = may_read(user)
    if not (can_read or public) or not isinstance(instance, Model):
        return {"is_shown": False}
    links = links_from_outside() if can_read and getattr(user, "is_staff", False) else None
    try:
        with isolated(SignalEvent.objects.db):
            stretch = of_object(instance).read(limit, wanted=IS_CHANGE)
    except DatabaseError:  # the log cannot be read; the project's page works on
        return {"is_shown": True, "is_out_of_reach": True, "whole_url": ""}
    return {
        "is_shown": True,
        "is_out_of_reach": False,
        "has_origins": can_read,
        "days": days(stretch.events, links),
        "whole_url": links.about(instance._meta.label, key_of(instance)) if links else "",
    }
