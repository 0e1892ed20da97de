from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "project.playground"
    verbose_name = "Bookshop"

    def ready(self) -> None:
        # Importing the module connects the decorated receivers.
        from project.playground import receivers

        receivers.connect_by_hand()
