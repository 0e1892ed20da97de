"""Settings of a site with as strict a Content-Security-Policy as its Django allows."""

from collections.abc import Callable
from copy import deepcopy

import django
from django.http import HttpRequest, HttpResponse

from project import settings as demo

HAS_NONCES = django.VERSION >= (6, 0)
ADMIN_HAS_NONCES = django.VERSION >= (6, 1)

View = Callable[[HttpRequest], HttpResponse]


def only_from_here(get_response: View) -> View:
    """Let a page load from its own site only; Django 5.2 has no policy of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return middleware


MIDDLEWARE = list(demo.MIDDLEWARE)
TEMPLATES = deepcopy(demo.TEMPLATES)
SECURE_CSP: dict[str, list[str]] = {}

if HAS_NONCES:
    from django.utils.csp import CSP

    # Before 6.1 the admin's own files have no nonce.
    files = [CSP.NONCE] if ADMIN_HAS_NONCES else [CSP.SELF, CSP.NONCE]
    SECURE_CSP = {
        "default-src": [CSP.NONE],
        "script-src": files,
        "style-src": files,
        "img-src": [CSP.SELF],
        "connect-src": [CSP.SELF],
        "form-action": [CSP.SELF],
        "base-uri": [CSP.NONE],
    }
    MIDDLEWARE.insert(0, "django.middleware.csp.ContentSecurityPolicyMiddleware")
    processors = TEMPLATES[0]["OPTIONS"]["context_processors"]
    processors.append("django.template.context_processors.csp")
else:
    MIDDLEWARE.insert(0, "tests.policy.only_from_here")
