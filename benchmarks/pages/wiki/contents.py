"""What the wiki says."""

from home.models import HomePage

PAGES = 20


def make() -> dict[str, str]:
    """Write the wiki, and return its pages."""
    home = HomePage.objects.get(depth=2)
    for number in range(PAGES):
        page = home.add_child(instance=HomePage(title=f"Page {number}"))
        page.save_revision().publish()
    return {
        "wiki: a page": page.url,
        "wiki: edit form": f"/admin/pages/{page.pk}/edit/",
        "wiki: list of pages": f"/admin/pages/{home.pk}/",
    }
