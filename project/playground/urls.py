from django.urls import path

from project.playground import views

app_name = "playground"
urlpatterns = [
    path("", views.front, name="front"),
    path("lessons/<slug:slug>/", views.lesson, name="lesson"),
    path("lessons/<slug:slug>/<slug:name>/", views.act, name="act"),
]
