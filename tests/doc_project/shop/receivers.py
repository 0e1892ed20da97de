from typing import Any

from django.core.mail import send_mail
from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.models import Order, Product


@receiver(post_save, sender=Order)
def send_receipt(instance: Order, **kwargs: Any) -> None:
    send_mail("Your order", str(instance), None, ["mina@example.com"])


@receiver(post_save, sender=Product)
def order_more(instance: Product, **kwargs: Any) -> None:
    if instance.stock == 1:
        send_mail("Running low", instance.name, None, ["stock@example.com"])
