from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
    stock = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    copies = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.copies} of {self.product}"
