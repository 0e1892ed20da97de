from django.http import HttpRequest, HttpResponse
from django.urls import path

from shop.checkout import buy
from shop.models import Product


def buy_page(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(str(buy(Product.objects.get(pk=pk))))


urlpatterns = [path("buy/<int:pk>/", buy_page)]
