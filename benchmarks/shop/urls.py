from django.contrib.auth import authenticate, login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.shop.models import Product


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page")


@csrf_exempt
def log_in(request: HttpRequest) -> HttpResponse:
    name, password = request.POST["name"], request.POST["password"]
    login(request, authenticate(request, username=name, password=password))
    return HttpResponse("welcome")


def order(request: HttpRequest, number: int) -> HttpResponse:
    """Do what a shop's request does: read some rows, change one, write a page."""
    products = list(Product.objects.all()[number : number + 20])
    with transaction.atomic():
        products[0].stock += 1
        products[0].save()
    return HttpResponse("".join(f"<li>{product.name}: {product.price}" for product in products))


def sell(request: HttpRequest, number: int) -> HttpResponse:
    """Save one row: with the request itself, that fires six signals."""
    Product(name=f"product {number}", code="sold", price=1990, stock=3).save()
    return HttpResponse("sold")


urlpatterns = [
    path("page/", page),
    path("login/", log_in),
    path("order/<int:number>/", order),
    path("sell/<int:number>/", sell),
]
