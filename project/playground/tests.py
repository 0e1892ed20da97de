"""The tests that the lesson about test signals runs in another process."""

from django.conf import settings
from django.template.loader import render_to_string
from django.test import SimpleTestCase, override_settings

from signals_demo.testing import Capture, SignalTestMixin, capture_signals


class LessonTests(SignalTestMixin, SimpleTestCase):
    """Tests without a database."""

    def test_a_setting_for_a_while(self) -> None:
        expected = ["setting_changed", "setting_changed"]
        with self.assertSignals(expected), override_settings(LANGUAGE_CODE="nl"):
            assert settings.LANGUAGE_CODE == "nl"

    @capture_signals("template_rendered")
    def test_a_template(self, signals: Capture) -> None:
        receipt = render_to_string("playground/receipt.txt", {"reader": "Mina"})
        assert "Mina" in receipt
        assert signals.tree() == "template_rendered (playground/receipt.txt)"
