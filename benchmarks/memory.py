"""The memory that one transaction with very many saves takes."""

import json
import resource
import sys
from typing import Any

from benchmarks.project import set_up, stored

UNDONE = 1000  # one save in so many is in a savepoint that is rolled back
# Not more: PostgreSQL keeps every version of a row until the transaction ends, and looks through
# them at each update.
SAVES_OF_EACH = 100


def _save_all(saves: int) -> None:
    from django.db import transaction

    from benchmarks.actions import product

    products = [product(number) for number in range(saves // SAVES_OF_EACH)]
    with transaction.atomic():
        for one in products:
            one.save()
        for number in range(saves - len(products)):
            one = products[number % len(products)]
            one.stock += 1
            if number % UNDONE:
                one.save()
                continue
            with transaction.atomic():
                one.save()
                transaction.set_rollback(True)


def _outcomes(variant: str) -> dict[str, int]:
    if variant == "bare":
        return {}
    from django.db.models import Sum

    from signals_demo.models import SignalEvent

    saves = SignalEvent.objects.filter(signal__in=("pre_save", "post_save"), sender="shop.Product")
    return dict(saves.order_by().values_list("outcome").annotate(Sum("count")))


def expected(saves: int) -> dict[str, int]:
    """Return how many events each outcome should have."""
    undone = -(-(saves - saves // SAVES_OF_EACH) // UNDONE)
    return {"committed": 2 * (saves - undone), "rolled_back": 2 * undone}


def main() -> None:
    """Print the most memory, in MB, that the process ever had, and the events by outcome."""
    variant, engine, folder, saves = sys.argv[1:]
    set_up(variant, engine, folder)
    _save_all(int(saves))
    peak: Any = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stored(variant, 600)
    found = {"during": peak, "after": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    print(json.dumps(found | {"outcomes": _outcomes(variant)}))


if __name__ == "__main__":
    main()
