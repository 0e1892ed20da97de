"""The tests that the lesson about Django's test signals runs, in a process of their own."""

from django.conf import settings
from django.template.loader import render_to_string
from django.test import SimpleTestCase, override_settings


class LessonTests(SimpleTestCase):
    """They use no database, so Django makes no test database for them."""

    def test_a_setting_for_a_while(self) -> None:
        with override_settings(LANGUAGE_CODE="nl"):
            assert settings.LANGUAGE_CODE == "nl"

    def test_a_template(self) -> None:
        text = render_to_string("playground/receipt.txt", {"reader": "Mina"})
        assert "Mina" in text
