from django.contrib import admin

from project.playground.models import Author, Book, Ebook, Order, RareBook, Tag
from signals_demo.admin import SignalHistoryMixin


@admin.register(Author, Tag)
class NameAdmin(SignalHistoryMixin, admin.ModelAdmin):
    search_fields = ("name",)


@admin.register(Book, RareBook)
class BookAdmin(SignalHistoryMixin, admin.ModelAdmin):
    list_display = ("title", "author", "copies")
    list_filter = ("tags",)
    list_select_related = ("author",)
    search_fields = ("title", "author__name")
    filter_horizontal = ("tags",)


@admin.register(Ebook)
class EbookAdmin(BookAdmin):
    list_display = ("title", "author", "kilobytes")


@admin.register(Order)
class OrderAdmin(SignalHistoryMixin, admin.ModelAdmin):
    list_display = ("__str__", "book", "copies", "ordered_at")
    list_select_related = ("book",)
    date_hierarchy = "ordered_at"
