from django.contrib import admin
from django.urls import path

from benchmarks.shop.models import Product
from signals_demo.admin import SignalHistoryMixin


@admin.register(Product)
class ProductAdmin(SignalHistoryMixin, admin.ModelAdmin):
    """A host's model with the history of its objects."""


urlpatterns = [path("admin/", admin.site.urls)]
