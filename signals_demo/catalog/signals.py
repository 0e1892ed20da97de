"""The one list of Django's built-in signals.

It loads no model and needs no app registry: `AppConfig.__init__` reads it.
"""

from functools import cache

from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import CONNECT_OPTIONS, Argument, BuiltIn, Family, LazyText

__all__ = ["BUILT_IN", "CONNECT_OPTIONS", "Argument", "BuiltIn", "Family", "built_in", "get"]

_DOCUMENTATION = "https://docs.djangoproject.com/en/stable/ref/"

_USER = ("from django.contrib.auth import get_user_model", "get_user_model()")
_MODEL = _("The model class.")
_APP_CONFIG = _("The AppConfig instance of one installed app.")
_BACKEND = _("The class of the task backend.")

_USING = Argument("using", _("The alias of the database."))
_RAW = Argument(
    "raw",
    _(
        "True while a fixture is being loaded. Do not query other rows then: some may not be "
        "there yet."
    ),
)
_UPDATE_FIELDS = Argument(
    "update_fields",
    _("The field names passed to save(update_fields=…), as a frozenset; otherwise None."),
)
_ORIGIN = Argument("origin", _("The instance or queryset on which delete() was called."))
_DELETED = Argument("instance", _("The instance being deleted. It still has its primary key."))
_REQUEST = Argument("request", _("The HttpRequest."))
_TASK_RESULT = Argument(
    "task_result", _("The TaskResult: the task, its arguments and its current status.")
)

_SAVE_SILENT = _(
    "QuerySet.update(), bulk_create(), bulk_update() and raw SQL. A save with update_fields=[]. "
    "Rows that a many-to-many field adds to its through table. add() on a reverse foreign key, "
    "on_delete=SET_NULL and SET_DEFAULT: these run an UPDATE. The parents of an inherited "
    "model: the signal fires for the child class only."
)
_DELETE_SILENT = _(
    "Raw SQL and the flush command. Rows of an automatic through table. Rows that the database "
    "itself deletes: with on_delete=DB_CASCADE (Django 6.1), or with DO_NOTHING and a "
    "constraint that you added."
)
_INIT_SILENT = _(
    "values(), values_list() and aggregates, which create no instances. Copies made with "
    "copy.copy() or pickle, such as objects from a cache. A model that overrides __init__() "
    "without calling the parent's."
)


def _signals_page(path: str) -> str:
    return f"{_DOCUMENTATION}signals/#{path}"


def _migrate_arguments(apps: LazyText, *, always: bool) -> tuple[Argument, ...]:
    return (
        Argument("app_config", _("The same as the sender.")),
        Argument("verbosity", _("How much the command prints: 0 to 3.")),
        Argument("interactive", _("True if the command may ask the user questions.")),
        _USING,
        Argument("stdout", _("The stream to print to."), always),
        Argument("apps", apps, always),
        Argument(
            "plan",
            _(
                "The migrations of this run, each as a pair: the migration, and whether it is "
                "being unapplied."
            ),
            always,
        ),
    )


BUILT_IN = (
    BuiltIn(
        name="user_logged_in",
        family=Family.AUTH,
        path="django.contrib.auth.signals.user_logged_in",
        sender=_("The user's class."),
        arguments=(_REQUEST, Argument("user", _("The user who just logged in."))),
        fires=_(
            "At the end of login(), after the user has been stored in the session. Django's own "
            "receiver saves the user's last_login."
        ),
        silent=_(
            "authenticate() alone, which only checks the password. Later requests of a session "
            "that is already logged in. Access by token, and anything else that does not call "
            "login()."
        ),
        since=(1, 3),
        url=f"{_DOCUMENTATION}contrib/auth/#django.contrib.auth.signals.user_logged_in",
        example_sender=_USER,
    ),
    BuiltIn(
        name="user_logged_out",
        family=Family.AUTH,
        path="django.contrib.auth.signals.user_logged_out",
        sender=_("The user's class, or NoneType if no one was logged in."),
        arguments=(
            _REQUEST,
            Argument("user", _("The user who logs out, or None if no one was logged in.")),
        ),
        fires=_("At the start of logout(), while the user is still in the session."),
        silent=_(
            "A session that expires or is deleted. A lost cookie. A password change that ends "
            "the user's other sessions."
        ),
        since=(1, 3),
        url=f"{_DOCUMENTATION}contrib/auth/#django.contrib.auth.signals.user_logged_out",
        example_sender=_USER,
    ),
    BuiltIn(
        name="user_login_failed",
        family=Family.AUTH,
        path="django.contrib.auth.signals.user_login_failed",
        sender=_(
            "The module name, django.contrib.auth. Senders are compared by identity, so connect "
            "with sender=django.contrib.auth.__name__ and not with a string literal."
        ),
        arguments=(
            Argument(
                "credentials",
                _(
                    "The credentials passed to authenticate(). Passwords, tokens and similar "
                    "values are masked."
                ),
            ),
            Argument(
                "request", _("The HttpRequest, or None if authenticate() was called without one.")
            ),
        ),
        fires=_(
            "In authenticate(), when every backend has rejected the credentials, or one has "
            "raised PermissionDenied."
        ),
        silent=_(
            "A login form that fails for another reason: an empty field, or the correct "
            "password of a user who may not enter the admin. check_password()."
        ),
        since=(1, 5),
        url=f"{_DOCUMENTATION}contrib/auth/#django.contrib.auth.signals.user_login_failed",
        example_sender=("from django.contrib import auth", "auth.__name__"),
    ),
    BuiltIn(
        name="pre_init",
        family=Family.MODEL,
        path="django.db.models.signals.pre_init",
        sender=_MODEL,
        arguments=(
            Argument("args", _("The positional arguments of the constructor, as a tuple.")),
            Argument("kwargs", _("The keyword arguments of the constructor, as a dict.")),
        ),
        fires=_(
            "At the start of the model's constructor: when your code creates an instance, and "
            "for every row that a query turns into an instance."
        ),
        silent=_INIT_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.pre_init"),
        example_sender=_USER,
    ),
    BuiltIn(
        name="post_init",
        family=Family.MODEL,
        path="django.db.models.signals.post_init",
        sender=_MODEL,
        arguments=(Argument("instance", _("The instance that was just created.")),),
        fires=_(
            "At the end of the model's constructor. An instance loaded from a row does not know "
            "its database yet: instance._state is set afterwards."
        ),
        silent=_INIT_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.post_init"),
        closes="pre_init",
        example_sender=_USER,
    ),
    BuiltIn(
        name="pre_save",
        family=Family.MODEL,
        path="django.db.models.signals.pre_save",
        sender=_MODEL,
        arguments=(
            Argument("instance", _("The instance about to be saved.")),
            _RAW,
            _USING,
            _UPDATE_FIELDS,
        ),
        fires=_(
            "In save(), before anything is written. Also in create(), get_or_create() and "
            "update_or_create() when they save, and in loaddata, with raw=True."
        ),
        silent=_SAVE_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.pre_save"),
        example_sender=_USER,
    ),
    BuiltIn(
        name="post_save",
        family=Family.MODEL,
        path="django.db.models.signals.post_save",
        sender=_MODEL,
        arguments=(
            Argument("instance", _("The instance that was saved.")),
            Argument("created", _("True if a row was inserted, False if one was updated.")),
            _RAW,
            _USING,
            _UPDATE_FIELDS,
        ),
        fires=_(
            "At the end of save(), after the row has been written. The transaction around it "
            "may still be rolled back."
        ),
        silent=_SAVE_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.post_save"),
        closes="pre_save",
        example_sender=_USER,
    ),
    BuiltIn(
        name="pre_delete",
        family=Family.MODEL,
        path="django.db.models.signals.pre_delete",
        sender=_MODEL,
        arguments=(_DELETED, _USING, _ORIGIN),
        fires=_(
            "In delete() of an instance or a queryset, once for each instance. This includes "
            "instances found through on_delete=CASCADE and the parents of an inherited model. "
            "All of these firings come before the first row is deleted."
        ),
        silent=_DELETE_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.pre_delete"),
        example_sender=_USER,
    ),
    BuiltIn(
        name="post_delete",
        family=Family.MODEL,
        path="django.db.models.signals.post_delete",
        sender=_MODEL,
        arguments=(_DELETED, _USING, _ORIGIN),
        fires=_(
            "In delete(), once for each instance, after the rows of its model have been "
            "deleted. The transaction is still open."
        ),
        silent=_DELETE_SILENT,
        since=(1, 0),
        url=_signals_page("django.db.models.signals.post_delete"),
        closes="pre_delete",
        example_sender=_USER,
    ),
    BuiltIn(
        name="m2m_changed",
        family=Family.MODEL,
        path="django.db.models.signals.m2m_changed",
        sender=_("The through model of the many-to-many field."),
        arguments=(
            Argument("instance", _("The instance whose relation changes.")),
            Argument(
                "action", _("pre_add, post_add, pre_remove, post_remove, pre_clear or post_clear.")
            ),
            Argument(
                "reverse",
                _(
                    "True if the instance is on the reverse side, whose model does not define "
                    "the field."
                ),
            ),
            Argument("model", _("The class of the objects that are added or removed.")),
            Argument(
                "pk_set",
                _(
                    "Primary keys of those objects. When adding: only the new ones, possibly "
                    "none. When removing: all that were passed. When clearing: None."
                ),
            ),
            _USING,
            Argument("raw", _RAW.meaning, since=(6, 1)),
        ),
        fires=_(
            "For add(), create(), remove() and clear() on a many-to-many relation, twice each: "
            "before and after the change. set() calls remove() and add(). Also in loaddata."
        ),
        silent=_(
            "Rows of the through model that your code creates or deletes directly. Deleting one "
            "of the two objects. set() with the objects that are already there. add() and "
            "remove() without objects."
        ),
        since=(1, 2),
        url=_signals_page("django.db.models.signals.m2m_changed"),
        example_sender=(
            "from django.contrib.auth.models import Group",
            "Group.permissions.through",
        ),
    ),
    BuiltIn(
        name="class_prepared",
        family=Family.MODEL,
        path="django.db.models.signals.class_prepared",
        sender=_("The model class that was just defined."),
        arguments=(),
        fires=_(
            "When a model class is defined, usually while Django starts, before "
            "AppConfig.ready(). Also for automatic through models. The migrate command fires it "
            "hundreds of times, for historical models."
        ),
        silent=_(
            "Abstract models. Models defined before your receiver was connected: connect it in "
            "AppConfig.__init__(), because ready() is too late."
        ),
        since=(1, 0),
        url=_signals_page("django.db.models.signals.class_prepared"),
    ),
    BuiltIn(
        name="pre_migrate",
        family=Family.MANAGEMENT,
        path="django.db.models.signals.pre_migrate",
        sender=_APP_CONFIG,
        arguments=_migrate_arguments(
            _("An app registry with the models as they are before the run."), always=True
        ),
        fires=_(
            "In the migrate command, once for each app, before anything changes. Creating a "
            "test database runs migrate too."
        ),
        silent=_(
            "Apps without a models module. migrate with --plan, --check or --prune. "
            "The flush, makemigrations and sqlmigrate commands."
        ),
        since=(1, 7),
        url=_signals_page("django.db.models.signals.pre_migrate"),
        example_sender=("from django.apps import apps", 'apps.get_app_config("auth")'),
    ),
    BuiltIn(
        name="post_migrate",
        family=Family.MANAGEMENT,
        path="django.db.models.signals.post_migrate",
        sender=_APP_CONFIG,
        arguments=_migrate_arguments(
            _("An app registry with the models as they are after the run."), always=False
        ),
        fires=_(
            "Once for each app, at the end of the migrate command (even if there was nothing to "
            "do) and of flush. A TransactionTestCase may send it too. Only migrate passes "
            "stdout, apps and plan."
        ),
        silent=_(
            "Apps without a models module. A migrate that fails, or runs with --plan, --check or "
            "--prune."
        ),
        since=(1, 7),
        url=_signals_page("django.db.models.signals.post_migrate"),
        closes="pre_migrate",
        example_sender=("from django.apps import apps", 'apps.get_app_config("auth")'),
    ),
    BuiltIn(
        name="request_started",
        family=Family.REQUEST,
        path="django.core.signals.request_started",
        sender=_("The handler class: WSGIHandler, ASGIHandler or that of the test client."),
        arguments=(
            Argument("environ", _("Under WSGI: the request's environ."), always=False),
            Argument(
                "scope",
                _("Under ASGI, instead of environ: the connection scope. Undocumented."),
                always=False,
            ),
        ),
        fires=_("When Django receives an HTTP request, before the middleware and the view."),
        silent=_(
            "Requests that the web server answers itself, such as static files. A view that a "
            "test calls with a request from RequestFactory. WebSockets."
        ),
        since=(1, 0),
        url=_signals_page("django.core.signals.request_started"),
        example_sender=("from django.core.handlers.wsgi import WSGIHandler", "WSGIHandler"),
    ),
    BuiltIn(
        name="request_finished",
        family=Family.REQUEST,
        path="django.core.signals.request_finished",
        sender=_("The handler class, or None under the test client."),
        arguments=(),
        fires=_(
            "When the server closes the response, after the last byte. For a streaming "
            "response, that can be late. By then Django has closed its old database connections."
        ),
        silent=_(
            "A server or WSGI middleware that does not call close() on the response. A view that "
            "a test calls with a request from RequestFactory."
        ),
        since=(1, 0),
        url=_signals_page("django.core.signals.request_finished"),
        closes="request_started",
        example_sender=("from django.core.handlers.wsgi import WSGIHandler", "WSGIHandler"),
    ),
    BuiltIn(
        name="got_request_exception",
        family=Family.REQUEST,
        path="django.core.signals.got_request_exception",
        sender=_("Always None."),
        arguments=(_REQUEST,),
        fires=_(
            "When a view or a middleware raises an exception that becomes a 500 response. The "
            "exception itself is not passed: read sys.exc_info()."
        ),
        silent=_(
            "Http404, PermissionDenied, BadRequest and SuspiciousOperation, which become 404, "
            "403 and 400 responses. Exceptions that a middleware handles in "
            "process_exception(). Errors while a streaming response is sent. Commands and tasks."
        ),
        since=(1, 0),
        url=_signals_page("django.core.signals.got_request_exception"),
    ),
    BuiltIn(
        name="setting_changed",
        family=Family.TEST,
        path="django.test.signals.setting_changed",
        sender=_("The class of the settings object."),
        arguments=(
            Argument("setting", _("The name of the setting.")),
            Argument("value", _("The new value, or None if the setting no longer exists.")),
            Argument(
                "enter", _("True when the setting is overridden, False when it is restored.")
            ),
        ),
        fires=_(
            "When a test changes a setting with override_settings, modify_settings or "
            "self.settings(), and again when the setting is restored. Also for the settings "
            "fixture of pytest-django. Outside tests, import the signal from "
            "django.core.signals."
        ),
        silent=_("A value that is assigned to django.conf.settings directly, or patched there."),
        since=(1, 4),
        url=_signals_page("django.test.signals.setting_changed"),
        defined_in="django.core.signals",
    ),
    # Only django.test.signals has template_rendered, so loading it imports django.test, in 10 to
    # 20 ms. That connects receivers to setting_changed, which is never sent in production.
    BuiltIn(
        name="template_rendered",
        family=Family.TEST,
        path="django.test.signals.template_rendered",
        sender=_("The Template instance."),
        arguments=(
            Argument("template", _("The same as the sender.")),
            Argument("context", _("The Context it is rendered with.")),
        ),
        fires=_(
            "When a template is rendered in a test environment. Templates that it extends or "
            "includes fire as well."
        ),
        silent=_("Anything outside tests. Templates of Jinja2 or other engines."),
        since=(1, 0),
        url=_signals_page("django.test.signals.template_rendered"),
    ),
    BuiltIn(
        name="connection_created",
        family=Family.DATABASE,
        path="django.db.backends.signals.connection_created",
        sender=_("The DatabaseWrapper class of the database engine."),
        arguments=(Argument("connection", _("The connection that was opened.")),),
        fires=_(
            "When Django connects to a database: at the first query of each thread, and again "
            "after the connection was closed. With a connection pool, each time a connection is "
            "taken from it."
        ),
        silent=_(
            "A query on a connection that is already open. Access to django.db.connections "
            "without a query."
        ),
        since=(1, 1),
        url=_signals_page("django.db.backends.signals.connection_created"),
        example_sender=("from django.db import connections", 'type(connections["default"])'),
    ),
    BuiltIn(
        name="task_enqueued",
        family=Family.TASK,
        path="django.tasks.signals.task_enqueued",
        sender=_BACKEND,
        arguments=(_TASK_RESULT,),
        fires=_("In enqueue(), after the backend has accepted the task."),
        silent=_(
            "call(), which runs the task's function directly. Other task queues, such as Celery."
        ),
        since=(6, 0),
        url=_signals_page("django.tasks.signals.task_enqueued"),
        example_sender=(
            "from django.tasks.backends.immediate import ImmediateBackend",
            "ImmediateBackend",
        ),
    ),
    BuiltIn(
        name="task_started",
        family=Family.TASK,
        path="django.tasks.signals.task_started",
        sender=_BACKEND,
        arguments=(_TASK_RESULT,),
        fires=_(
            "When a worker starts the task. The immediate backend starts it inside enqueue()."
        ),
        silent=_(
            "The dummy backend, which runs nothing. call(). Other task queues, such as Celery."
        ),
        since=(6, 0),
        url=_signals_page("django.tasks.signals.task_started"),
        example_sender=(
            "from django.tasks.backends.immediate import ImmediateBackend",
            "ImmediateBackend",
        ),
    ),
    BuiltIn(
        name="task_finished",
        family=Family.TASK,
        path="django.tasks.signals.task_finished",
        sender=_BACKEND,
        arguments=(_TASK_RESULT,),
        fires=_(
            "When the task has ended, successfully or with an exception: see task_result.status."
        ),
        silent=_(
            "A worker that is stopped or killed while the task runs. The dummy backend, which "
            "runs nothing. call(). Other task queues, such as Celery."
        ),
        since=(6, 0),
        url=_signals_page("django.tasks.signals.task_finished"),
        closes="task_started",
        example_sender=(
            "from django.tasks.backends.immediate import ImmediateBackend",
            "ImmediateBackend",
        ),
    ),
    BuiltIn(
        name="autoreload_started",
        family=Family.AUTORELOAD,
        path="django.utils.autoreload.autoreload_started",
        sender=_("The reloader instance. Its watch_dir() adds files to watch."),
        arguments=(),
        fires=_(
            "When the development server has started under its reloader, and again after each "
            "reload."
        ),
        silent=_("runserver with --noreload. Any other server."),
        since=(2, 2),
        url=f"{_DOCUMENTATION}django-admin/#django-admin-runserver",
        documented=False,
    ),
    BuiltIn(
        name="file_changed",
        family=Family.AUTORELOAD,
        path="django.utils.autoreload.file_changed",
        sender=_("The reloader instance."),
        arguments=(Argument("file_path", _("The path of the file, as a pathlib.Path.")),),
        fires=_(
            "When a watched file has changed. If a receiver returns a true value, the server "
            "does not reload."
        ),
        silent=_(
            "Files that are not watched. runserver with --noreload. With the standard reloader, "
            "a new or deleted file."
        ),
        since=(2, 2),
        url=f"{_DOCUMENTATION}django-admin/#django-admin-runserver",
        documented=False,
    ),
)
"""The signals of all supported versions; `built_in()` returns those of the installed Django."""


@cache
def built_in() -> dict[str, BuiltIn]:
    """Return the signals of the installed Django by name, in catalog order."""
    return {signal.name: signal for signal in BUILT_IN if signal.available}


def get(name: str) -> BuiltIn | None:
    """Return a built-in signal of the installed Django, or None."""
    return built_in().get(name)
