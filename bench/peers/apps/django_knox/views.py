"""The API: own account, another user's profile, sign-in."""

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.urls import path
from knox.views import LoginView
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView


class Own(ModelSerializer):
    """The caller's account; the name can be changed."""

    class Meta:
        """The fields."""

        model = User
        fields = ("id", "first_name", "email")
        read_only_fields = ("id", "email")


class Public(ModelSerializer):
    """Another user's account."""

    class Meta:
        """The fields."""

        model = User
        fields = ("id", "first_name")


class Me(APIView):
    """The caller's account."""

    def get(self, request: Request) -> Response:
        """Return it."""
        return Response(Own(request.user).data)

    def patch(self, request: Request) -> Response:
        """Change the name."""
        edit = Own(request.user, data=request.data, partial=True)
        edit.is_valid(raise_exception=True)
        edit.save()
        return Response(edit.data)


class Profile(APIView):
    """Another user's account, for signed-in callers."""

    def get(self, _request: Request, user_id: int) -> Response:
        """Return it."""
        return Response(Public(get_object_or_404(User, pk=user_id)).data)


class SignIn(LoginView):
    """Exchanges name and password for a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Create a session."""
        asked = AuthTokenSerializer(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        request.user = asked.validated_data["user"]
        return super().post(request)


urlpatterns = [
    path("me", Me.as_view()),
    path("profiles/<int:user_id>", Profile.as_view()),
    path("sign-in", SignIn.as_view()),
]
