"""The one list of Django's built-in signals.

It loads no model and needs no app registry: `AppConfig.__init__` reads it.
"""

from functools import cache

from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import CONNECT_OPTIONS, Argument, BuiltIn, Family, LazyText

__all__ = ["BUILT_IN", "CONNECT_OPTIONS", "Argument", "BuiltIn", "Family", "built_in", "get"]

_DOCUMENTATION = "https://docs.djangoproject.com/en/stable/ref/"

_USER = ("from django.contrib.auth import get_user_model", "get_user_model()")
_MODEL = _("The model's class.")
_APP_CONFIG = _("The AppConfig instance of one installed app.")
_BACKEND = _("The class of the task backend.")

_USING = Argument("using", _("The alias of the database."))
_RAW = Argument(
    "raw",
    _("True while a fixture is loaded: other rows may still be missing, so do not read them."),
)
_UPDATE_FIELDS = Argument(
    "update_fields", _("The names given to save(update_fields=…) as a frozenset, else None.")
)
_ORIGIN = Argument("origin", _("The instance or the queryset whose delete() started it all."))
_DELETED = Argument("instance", _("The instance being deleted; it still has its primary key."))
_REQUEST = Argument("request", _("The HttpRequest."))
_TASK_RESULT = Argument(
    "task_result", _("The TaskResult: the task, its arguments and its status so far.")
)

_SAVE_SILENT = _(
    "QuerySet.update(), bulk_create(), bulk_update() and raw SQL. A save with update_fields=[]. "
    "Rows that a many-to-many field adds to its through table. Adding to a reverse foreign key "
    "with add(), and on_delete=SET_NULL or SET_DEFAULT: both are updates. The parent models of an "
    "inherited model: only the child's class is sent."
)
_DELETE_SILENT = _(
    "Raw SQL, and the flush command. Rows of an automatic through table. Rows that the database "
    "deletes by itself: on_delete=DB_CASCADE (Django 6.1), or DO_NOTHING with a constraint of "
    "your own."
)
_INIT_SILENT = _(
    "values(), values_list() and aggregates: they build no instances. Copies made with "
    "copy.copy() or pickle, such as objects from a cache. A model that overrides the constructor "
    "and does not call the one of its parent class."
)


def _signals_page(path: str) -> str:
    return f"{_DOCUMENTATION}signals/#{path}"


def _migrate_arguments(apps: LazyText, *, always: bool) -> tuple[Argument, ...]:
    return (
        Argument("app_config", _("The same as the sender.")),
        Argument("verbosity", _("How much the command prints: 0 to 3.")),
        Argument("interactive", _("True if it is all right to ask the user questions.")),
        _USING,
        Argument("stdout", _("Where to print."), always),
        Argument("apps", apps, always),
        Argument(
            "plan",
            _("The migrations of this run, as pairs: the migration, and True if it is undone."),
            always,
        ),
    )


BUILT_IN = (
    BuiltIn(
        name="user_logged_in",
        family=Family.AUTH,
        path="django.contrib.auth.signals.user_logged_in",
        sender=_("The class of the user."),
        arguments=(_REQUEST, Argument("user", _("The user who has just logged in."))),
        fires=_(
            "At the end of login(), when the session already holds the user. Django itself "
            "listens, and saves the user's last_login."
        ),
        silent=_(
            "authenticate() alone: it only checks the password. Later requests of a session that "
            "is already logged in. Access by token, or anything else that does not call login()."
        ),
        since=(1, 3),
        url=f"{_DOCUMENTATION}contrib/auth/#django.contrib.auth.signals.user_logged_in",
        example_sender=_USER,
    ),
    BuiltIn(
        name="user_logged_out",
        family=Family.AUTH,
        path="django.contrib.auth.signals.user_logged_out",
        sender=_("The class of the user; the class of None if nobody was logged in."),
        arguments=(
            _REQUEST,
            Argument("user", _("The user who logs out, or None if nobody was logged in.")),
        ),
        fires=_("At the start of logout(), while the session still holds the user."),
        silent=_(
            "A session that expires or is deleted, a lost cookie, a password change that ends "
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
            "The name of the module, django.contrib.auth. Senders are compared by identity, so "
            "connect with sender=django.contrib.auth.__name__ and not with a text of your own."
        ),
        arguments=(
            Argument(
                "credentials",
                _("What authenticate() was given; passwords, tokens and the like are masked."),
            ),
            Argument("request", _("The HttpRequest, or None if authenticate() got none.")),
        ),
        fires=_("In authenticate(), when every backend has refused, or one has forbidden it."),
        silent=_(
            "A form that is refused before or after the password is checked: a field left empty, "
            "or a correct password of a user who may not enter the admin. check_password()."
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
            Argument("kwargs", _("The keyword arguments of the constructor, as a dictionary.")),
        ),
        fires=_(
            "When an instance begins to be built: by your code, and for every row that a query "
            "turns into an instance."
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
        arguments=(Argument("instance", _("The instance that has just been built.")),),
        fires=_(
            "When an instance has been built. One that comes from a row does not yet know its "
            "database: instance._state is filled in afterwards."
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
            "In save(), before anything is written; so also in create(), get_or_create() and "
            "update_or_create() when they save. For loaddata too, with raw=True."
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
            "At the end of save(), when the row has been written. A surrounding transaction may "
            "still be rolled back."
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
            "In delete() of an instance or a queryset, once for each instance, those found by "
            "on_delete=CASCADE and the parents of an inherited model included. All of them fire "
            "before the first row goes."
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
            "In delete(), once for each instance, when the rows of its model are gone, inside "
            "the same transaction."
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
        sender=_("The model class between the two sides: the through of the field."),
        arguments=(
            Argument("instance", _("The instance whose relation changes.")),
            Argument(
                "action", _("pre_add, post_add, pre_remove, post_remove, pre_clear or post_clear.")
            ),
            Argument("reverse", _("True if the instance is on the side without the field.")),
            Argument("model", _("The class of the objects that are added or removed.")),
            Argument(
                "pk_set",
                _(
                    "Their keys: when adding, only those that were not there yet, perhaps none; "
                    "when removing, all that were named; when clearing, None."
                ),
            ),
            _USING,
            Argument("raw", _RAW.meaning, since=(6, 1)),
        ),
        fires=_(
            "For add(), create(), remove(), clear() and set() on a many-to-many relation, twice "
            "each: before, and after. set() is made of a remove() and an add(). For loaddata too."
        ),
        silent=_(
            "Rows of the through model that your code creates or deletes itself. Deleting one of "
            "the two objects. set() with exactly what is there already; add() and remove() of "
            "nothing."
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
        sender=_("The model class that has just been defined."),
        arguments=(),
        fires=_(
            "When a model class is defined: mostly while Django starts, before AppConfig.ready(). "
            "Also for automatic through models, and hundreds of times while migrating, for the "
            "models as they once were."
        ),
        silent=_(
            "Abstract models. Models defined before the receiver was connected: connect in "
            "AppConfig.__init__(), since ready() is too late."
        ),
        since=(1, 0),
        url=_signals_page("django.db.models.signals.class_prepared"),
    ),
    BuiltIn(
        name="pre_migrate",
        family=Family.MANAGEMENT,
        path="django.db.models.signals.pre_migrate",
        sender=_APP_CONFIG,
        arguments=_migrate_arguments(_("The models as they are before the run."), always=True),
        fires=_(
            "In the migrate command, before it changes anything, once for each app; creating a "
            "test database migrates too."
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
        arguments=_migrate_arguments(_("The models as they are after the run."), always=False),
        fires=_(
            "At the end of the migrate command, even if there was nothing to do, and of flush, "
            "once for each app. A TransactionTestCase may send it too. Only migrate sends stdout, "
            "apps and plan."
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
        sender=_("The class of the handler: WSGIHandler, ASGIHandler or the test client's."),
        arguments=(
            Argument("environ", _("Under WSGI: the environ of the request."), always=False),
            Argument(
                "scope",
                _("Under ASGI, in place of environ: the scope of the connection. Undocumented."),
                always=False,
            ),
        ),
        fires=_("When Django receives an HTTP request, before the middleware and the view."),
        silent=_(
            "Requests that the web server answers by itself, such as static files. A view that a "
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
        sender=_("The class of the handler; None under the test client."),
        arguments=(),
        fires=_(
            "When the server closes the response, after its last byte; a streaming response "
            "therefore ends late. Django has closed its old database connections by then."
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
        sender=_("None, always."),
        arguments=(_REQUEST,),
        fires=_(
            "When an exception leaves the view or a middleware and becomes an error 500. The "
            "exception itself is not sent: read sys.exc_info()."
        ),
        silent=_(
            "Http404, PermissionDenied, BadRequest, SuspiciousOperation: they become answers 404, "
            "403 and 400. Exceptions that a process_exception() of a middleware answers. Errors "
            "while a streaming response is sent. Commands and tasks."
        ),
        since=(1, 0),
        url=_signals_page("django.core.signals.got_request_exception"),
    ),
    BuiltIn(
        name="setting_changed",
        family=Family.TEST,
        path="django.test.signals.setting_changed",
        sender=_("The class of the object that holds the settings."),
        arguments=(
            Argument("setting", _("The name of the setting.")),
            Argument("value", _("Its value from now on; None if it no longer exists.")),
            Argument("enter", _("True when it is overridden, False when it is restored.")),
        ),
        fires=_(
            "When override_settings, modify_settings or self.settings() of a test changes a "
            "setting, and again when it is restored. The settings fixture of pytest-django too. "
            "Outside tests, import it from django.core.signals."
        ),
        silent=_("A plain assignment to django.conf.settings, or a patch of it."),
        since=(1, 4),
        url=_signals_page("django.test.signals.setting_changed"),
        defined_in="django.core.signals",
    ),
    # Nothing but django.test.signals has template_rendered, so loading it imports django.test:
    # 10 to 20 ms once Django is set up. Beyond that it only connects receivers to
    # setting_changed, which a site at work never sends, so it is harmless there.
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
            "When a template is rendered while a test environment is set up, once for each "
            "template: those it extends or includes fire too."
        ),
        silent=_("Anything outside tests. Templates of Jinja2 or another engine."),
        since=(1, 0),
        url=_signals_page("django.test.signals.template_rendered"),
    ),
    BuiltIn(
        name="connection_created",
        family=Family.DATABASE,
        path="django.db.backends.signals.connection_created",
        sender=_("The DatabaseWrapper class of the database's engine."),
        arguments=(Argument("connection", _("The connection that was opened.")),),
        fires=_(
            "When Django connects to a database: at the first query of each thread, and again "
            "after the connection was closed; with a pool, each time one is taken out of it."
        ),
        silent=_("A query on a connection that is already open. Naming a connection opens none."),
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
        fires=_("In enqueue(), when the backend has accepted the task."),
        silent=_("call(), which runs the task's function at once. Other task queues."),
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
            "When a worker begins to run the task; the immediate backend does so inside enqueue()."
        ),
        silent=_("The dummy backend, which runs nothing. call(). Other task queues."),
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
        fires=_("When the task has ended, well or with an exception: task_result.status says."),
        silent=_(
            "A worker that is stopped or killed while the task runs. The dummy backend, which "
            "runs nothing. call(). Other task queues."
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
        sender=_("The reloader, an instance: its watch_dir() adds files to watch."),
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
        sender=_("The reloader, an instance."),
        arguments=(Argument("file_path", _("The path of the file, a pathlib.Path.")),),
        fires=_(
            "When a watched file has changed. If a receiver returns something true, the server "
            "does not reload."
        ),
        silent=_(
            "Files that are not watched. runserver with --noreload. With the standard reloader, "
            "a file that is new or deleted."
        ),
        since=(2, 2),
        url=f"{_DOCUMENTATION}django-admin/#django-admin-runserver",
        documented=False,
    ),
)
"""Those of every supported Django, in catalog order; `built_in()` has the installed one's."""


@cache
def built_in() -> dict[str, BuiltIn]:
    """Return the signals of the installed Django by name, in catalog order."""
    return {signal.name: signal for signal in BUILT_IN if signal.available}


def get(name: str) -> BuiltIn | None:
    """Return a built-in signal of the installed Django, or None."""
    return built_in().get(name)
