"""Update the catalogues from the texts of the code; with --check, report what they lack.

    python .ci/translations.py            # all languages
    python .ci/translations.py it pt_BR   # also these, which start empty
    python .ci/translations.py --check    # write nothing, fail if a text is missing or gone

It needs the gettext tools: `apt-get install gettext`.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

APP = Path(__file__).resolve().parent.parent / "signals_demo"
CATALOGUE = Path("LC_MESSAGES", "django.po")

Key = tuple[str | None, str, str]


def languages(app: Path) -> set[str]:
    """Return the languages that have a catalogue."""
    return {path.parent.parent.name for path in app.glob(f"locale/*/{CATALOGUE}")}


def keys(app: Path, language: str) -> set[Key]:
    """Return the texts of a catalogue."""
    catalogue = polib.pofile(str(app / "locale" / language / CATALOGUE))
    live = (entry for entry in catalogue if not entry.obsolete)
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in live}


def django_admin(app: Path, command: str, wanted: set[str], *options: str) -> None:
    """Run a command of Django on these languages of an app, without a project."""
    named = [option for language in sorted(wanted) for option in ("--locale", language)]
    call = [sys.executable, "-m", "django", command, *named, *options, "--verbosity=0"]
    subprocess.run(call, cwd=app, check=True)


def collect(app: Path, wanted: set[str]) -> None:
    """Bring the catalogues up to the texts of the code."""
    # Without line numbers: a catalogue changes when a text does, not when a line moves.
    django_admin(app, "makemessages", wanted, "--add-location=file", "--no-obsolete")


def make(wanted: set[str]) -> None:
    """Bring the catalogues up to the code, and compile them."""
    (APP / "locale").mkdir(exist_ok=True)
    collect(APP, wanted)
    for compiled in APP.glob("locale/*/LC_MESSAGES/*.mo"):
        compiled.unlink()  # Django would leave alone what seems to be newer than its source
    django_admin(APP, "compilemessages", wanted)


def check(wanted: set[str]) -> list[str]:
    """Return a line for each text that a catalogue lacks, or has although it is gone."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, APP.name)
        shutil.copytree(APP, copy)
        collect(copy, wanted)
        missing = []
        for language in sorted(wanted):
            kept, found = keys(APP, language), keys(copy, language)
            missing += [
                f"{language}: missing: {key[1]!r}" for key in sorted(found - kept, key=str)
            ]
            missing += [f"{language}: gone: {key[1]!r}" for key in sorted(kept - found, key=str)]
    return missing


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("language", nargs="*", help="a new one, such as it or pt_BR")
    parser.add_argument("--check", action="store_true", help="write nothing, report what is wrong")
    options = parser.parse_args()
    wanted = languages(APP) | set(options.language)
    if not wanted:
        parser.error("There is no catalogue yet. Name a language.")
    if not options.check:
        make(wanted)
    elif missing := check(wanted):
        sys.exit("\n".join([*missing, "To fix it, run python .ci/translations.py and translate."]))


if __name__ == "__main__":
    main()
