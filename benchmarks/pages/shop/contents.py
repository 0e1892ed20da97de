"""What the shop sells."""

import shutil
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import transaction
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.apps.catalogue.models import Product, ProductCategory, ProductClass
from oscar.apps.partner.models import Partner, StockRecord

PRODUCTS = 200
IMPORTED = 5_000


def make() -> dict[str, str]:
    """Fill the shop, and return its pages."""
    Path(settings.MEDIA_ROOT).mkdir(exist_ok=True)
    picture = settings.OSCAR_MISSING_IMAGE_URL  # that of a product without one
    shutil.copy(finders.find(f"oscar/img/{picture}"), Path(settings.MEDIA_ROOT, picture))
    category = create_from_breadcrumbs("Books > Novels")
    for product in sell(PRODUCTS):
        ProductCategory.objects.create(product=product, category=category)
    path = product.get_absolute_url()
    return {"shop: catalogue": "/catalogue/", "shop: product": path, "shop: basket": "/basket/"}


def sell(number: int) -> list[Product]:
    """Create products with stock, as an import does: with a save each."""
    kind, _ = ProductClass.objects.get_or_create(name="Book")
    partner, _ = Partner.objects.get_or_create(name="The publisher")
    first = Product.objects.count()
    products = []
    with transaction.atomic():
        for each in range(first, first + number):
            product = Product.objects.create(
                product_class=kind, title=f"Book {each}", upc=f"{each:010}", description="A novel."
            )
            StockRecord.objects.create(
                product=product, partner=partner, partner_sku=product.upc, price=Decimal("19.90"),
                num_in_stock=9,
            )  # fmt: skip
            products.append(product)
    return products
