"""The addresses of the demo project, and those that a theme needs of its own."""

from django.conf import settings
from django.urls import include, path

from project.urls import urlpatterns as demo_urls

urlpatterns = list(demo_urls)
if settings.THEME == "grappelli":
    urlpatterns.insert(0, path("grappelli/", include("grappelli.urls")))
