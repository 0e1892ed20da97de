"""Modules that would connect receivers, but that nothing imports."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import AppConfig, apps

from signals_demo.inspection.unimported import Unimported, unimported


class ShopConfig(AppConfig):
    name = "forgetful"
    label = "forgetful"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@receiver(post_save)\ndef send(**kwargs): ...\n", True),
        ("post_save.connect(send)\n", True),
        ("def connect():\n    signals.post_save.connect(send)\n", True),
        ("paid = Signal()\n", False),
        ("# Nothing is connected here.\n", False),
        ("\x00\udcff", False),
    ],
)
@pytest.mark.parametrize("name", ["signals", "receivers", "handlers"])
def test_a_module_that_nothing_imports(
    name: str, text: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.py").write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.syspath_prepend(tmp_path.parent)
    module = ModuleType("forgetful")
    module.__path__ = [str(tmp_path)]
    config = ShopConfig("forgetful", module)
    monkeypatch.setitem(apps.app_configs, "forgetful", config)
    file = f"{tmp_path.name}/{name}.py"
    assert unimported() == [Unimported(f"forgetful.{name}", file)] * found
    monkeypatch.setitem(sys.modules, f"forgetful.{name}", ModuleType(name))
    assert unimported() == []
