"""The settings of django-simple-history's tests, which are in the program that runs them."""

from runtests import get_default_settings

_own = get_default_settings()
globals().update(_own)
# It switches off the migrations of every app; those of ours make the table of the events.
MIGRATION_MODULES = {name.rpartition(".")[2]: None for name in _own["INSTALLED_APPS"]}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # three times as fast
