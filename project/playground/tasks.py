"""The bookshop's background tasks. Django has tasks from 6.0 on."""

from django.tasks import task

from project.playground.models import Order


@task
def count_orders() -> int:
    """Return the number of orders."""
    return Order.objects.count()


@task
def fail() -> None:
    """Fail, for the lesson."""
    raise RuntimeError("The printer is out of paper.")
