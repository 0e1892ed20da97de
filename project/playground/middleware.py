from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def back_to_the_lesson(get_response: GetResponse) -> GetResponse:
    """Return to the lesson when an action has failed: the error is what it shows."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        lesson: str | None = getattr(request, "lesson_url", None)
        if lesson is not None and response.status_code >= 500:
            return redirect(lesson)
        return response

    return middleware
