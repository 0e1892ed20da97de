from django.db import transaction

from shop.models import Order, Product


class SoldOut(Exception):
    """There is less in stock than was ordered."""


def buy(product: Product, copies: int = 1) -> Order:
    """Make an order and take it from the stock: both or neither."""
    with transaction.atomic():
        order = Order.objects.create(product=product, copies=copies)
        product.stock -= copies
        product.save()
        if product.stock < 0:
            raise SoldOut
    return order
