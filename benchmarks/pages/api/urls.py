from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from benchmarks.pages.api.models import Article, Author


class AuthorSerializer(ModelSerializer):
    class Meta:
        model = Author
        fields = ("id", "name")


class ArticleSerializer(ModelSerializer):
    author = AuthorSerializer()

    class Meta:
        model = Article
        fields = ("id", "title", "text", "author", "published_at")


class ArticleViewSet(ModelViewSet):
    queryset = Article.objects.select_related("author").order_by("pk")
    serializer_class = ArticleSerializer


router = DefaultRouter()
router.register("articles", ArticleViewSet)
urlpatterns = [path("api/", include(router.urls)), path("admin/", admin.site.urls)]
