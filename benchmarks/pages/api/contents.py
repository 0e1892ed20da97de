"""What the API serves."""

from benchmarks.pages.api.models import Article, Author

ARTICLES = 100


def make() -> dict[str, str]:
    """Write the articles, and return the pages."""
    authors = [Author.objects.create(name=f"author {number}") for number in range(10)]
    for number in range(ARTICLES):
        article = Article.objects.create(
            title=f"article {number}", text="A text. " * 20, author=authors[number % len(authors)]
        )
    return {
        f"API: list of {ARTICLES}": "/api/articles/",
        "API: detail": f"/api/articles/{article.pk}/",
        "API: edit form of the admin": f"/admin/api/article/{article.pk}/change/",
    }
