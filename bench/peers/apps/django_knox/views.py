"""The API: one's own account, another's profile, signing in."""

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
    """One's own account; the name is what may be changed."""

    class Meta:
        """The fields."""

        model = User
        fields = ("id", "first_name", "email")
        read_only_fields = ("id", "email")


class Public(ModelSerializer):
    """Somebody else's account."""

    class Meta:
        """The fields."""

        model = User
        fields = ("id", "first_name")


class Me(APIView):
    """The caller's account."""

    def get(self, request: Request) -> Response:
        """Shows it."""
        return Response(Own(request.user).data)

    def patch(self, request: Request) -> Response:
        """Changes the name."""
        edit = Own(request.user, data=request.data, partial=True)
        edit.is_valid(raise_exception=True)
        edit.save()
        return Response(edit.data)


class Profile(APIView):
    """Another's account, for everybody who is signed in."""

    def get(self, _request: Request, user_id: int) -> Response:
        """Shows it."""
        return Response(Public(get_object_or_404(User, pk=user_id)).data)


class SignIn(LoginView):
    """Name and password for a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Opens a session."""
        asked = AuthTokenSerializer(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        request.user = asked.validated_data["user"]
        return super().post(request)


urlpatterns = [
    path("me", Me.as_view()),
    path("profiles/<int:user_id>", Profile.as_view()),
    path("sign-in", SignIn.as_view()),
]
