"""The tests that the lesson about Django's test signals runs, in a process of their own."""

from django.conf import settings
from django.template.loader import render_to_string
from django.test import SimpleTestCase, override_settings


class LessonTests(SimpleTestCase):
    """No database is used, so Django makes none for the tests."""

    def test_a_setting_for_a_while(self) -> None:
        with override_settings(LANGUAGE_CODE="nl"):
            assert settings.LANGUAGE_CODE == "nl"

    def test_a_template(self) -> None:
        context = {"reader": "Mina"}
        receipt = render_to_string("playground/receipt.txt", context)
        assert "Mina" in receipt
