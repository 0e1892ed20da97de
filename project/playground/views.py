"""The pages of the playground: they run an action and show what it fired."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import django
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import override
from django.views.decorators.http import require_POST, require_safe

from project.playground.children import Excuse
from project.playground.lessons import LESSONS, Lesson, lesson_by_slug
from project.playground.noticeboard import notes_of
from project.playground.receivers import EXAMPLES
from project.playground.sample import stock
from project.playground.streaks import shortened
from signals_demo import flush, suppress
from signals_demo.catalog import CONNECT_OPTIONS, Family
from signals_demo.models import SignalEvent
from signals_demo.query.parsing import trace_id_in
from signals_demo.tracing.scope import current_trace
from signals_demo.web.tree import tree

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def in_english(view: View[P]) -> View[P]:
    """Answer in English: the lessons are not translated, so their pages are not either."""

    @wraps(view)
    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        with override("en"):
            response = view(request, *args, **kwargs)
        response.headers["Content-Language"] = "en"
        return response

    return answered


def only_in_debug(view: View[P]) -> View[P]:
    """Refuse to answer on a real site: anyone may press these buttons."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not settings.DEBUG:
            raise PermissionDenied("The playground works only with DEBUG = True.")
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@in_english
@only_in_debug
def front(request: HttpRequest) -> HttpResponse:
    """Show the front page."""
    by_hand, by_decorator, *_ = EXAMPLES[Family.MODEL]
    context = {
        "lessons": LESSONS,
        "lesson": None,
        "by_hand": by_hand,
        "by_decorator": by_decorator,
        "connect_options": CONNECT_OPTIONS,
    }
    return render(request, "playground/front.html", context)


@require_safe
@in_english
@only_in_debug
def lesson(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a lesson and, beside the button that was pressed, what fired."""
    trace_id = trace_id_in(request.GET.get("trace", ""))
    events = events_of(trace_id) if trace_id else []
    return render(
        request,
        "playground/lesson.html",
        {
            "lessons": LESSONS,
            "lesson": _lesson_or_404(slug),
            "pressed": request.GET.get("action"),
            "trace_id": trace_id,
            "tree": tree(shortened(events)),
            "firings": sum(event.count for event in events),
            "notes": notes_of(trace_id),
            "django_version": django.get_version(),
        },
    )


@require_POST
@in_english
@only_in_debug
def act(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Run an action, then lead to its lesson, which shows what fired."""
    page = _lesson_or_404(slug)
    action = next((action for action in page.actions if action.name == name), None)
    if action is None:
        raise Http404(f"There is no action {name!r} in this lesson.")
    stock()
    with suppress():
        # Load the user, as most views do somewhere: then the record knows who it was.
        _ = request.user.pk
    unit = current_trace()
    own = unit.trace_id if unit else ""
    # For the middleware, in case that the action raises something.
    request.lesson_url = _result_url(page, name, own)  # type: ignore[attr-defined]
    try:
        shown = action.run(request) or own
    except Excuse as excuse:
        messages.error(request, str(excuse))
        shown = own
    return redirect(_result_url(page, name, shown))


def events_of(trace_id: str) -> list[SignalEvent]:
    """Return what fired in a unit of work; of a request, until it has ended (1 s at most)."""
    deadline = time.monotonic() + 1
    while True:
        flush()
        events = list(SignalEvent.objects.in_trace(trace_id))
        fired = {event.signal for event in events}
        # The browser may be here with its next request before the last one has quite ended.
        ended = "request_started" not in fired or "request_finished" in fired
        if ended or time.monotonic() > deadline:
            return events
        time.sleep(0.02)


def _lesson_or_404(slug: str) -> Lesson:
    if found := lesson_by_slug(slug):
        return found
    raise Http404(f"There is no lesson {slug!r}.")


def _result_url(lesson: Lesson, name: str, trace_id: str) -> str:
    query = {"action": name, "trace": trace_id}
    return reverse("playground:lesson", args=[lesson.slug], query=query, fragment=name)
