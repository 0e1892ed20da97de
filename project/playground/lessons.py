"""The pages: one lesson for each family of signals, and one on what fires no signal."""

from dataclasses import dataclass

from django.urls import reverse

from project.playground.actions import SILENCE
from project.playground.receivers import EXAMPLES, Example
from project.playground.registry import Action, actions
from signals_demo.catalog import built_in
from signals_demo.catalog.types import BuiltIn, Family, LazyText


@dataclass(frozen=True, slots=True)
class Lesson:
    """A page: its address, its texts and the family of signals that it is about."""

    slug: str
    title: LazyText
    intro: LazyText
    family: Family | None = None

    @property
    def signals(self) -> list[BuiltIn]:
        """Return the family's signals in the installed Django."""
        return [signal for signal in built_in().values() if signal.family == self.family]

    @property
    def actions(self) -> list[Action]:
        return [action for action in actions if action.lesson == self.slug]

    @property
    def examples(self) -> tuple[Example, ...]:
        return EXAMPLES.get(self.family, ()) if self.family else ()

    def get_absolute_url(self) -> str:
        return reverse("playground:lesson", args=[self.slug])


LESSONS = (
    *(Lesson(family.value, family.label, family.description, family) for family in Family),
    Lesson(
        SILENCE,
        "What fires no signal",
        "These actions write, read and delete rows, and no signal fires. "
        "Code that must see every change cannot rely on signals alone.",
    ),
)


def lesson_by_slug(slug: str) -> Lesson | None:
    """Return the lesson with this address, or None."""
    return next((lesson for lesson in LESSONS if lesson.slug == slug), None)
