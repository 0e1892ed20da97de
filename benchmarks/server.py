"""The WSGI application of one variant, for a real server: see `benchmarks.latency`."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

from benchmarks.latency import SERVER
from benchmarks.project import set_up

set_up(*os.environ[SERVER].split("|"))
import_module("benchmarks.actions").stock_up()
application = get_wsgi_application()
