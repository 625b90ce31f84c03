"""Find the doors of each package.  No package is imported for that.

A guard around a token view, such as ``mfa_required``, does not close a door: an attacker with an
account of their own passes the guard, and then sends the password of another user.  So guards are
ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from django.utils.module_loading import import_string

from . import kinds
from .kinds import Door, Kind
from .urlconf import RoutedView, is_subclass, routed_views

DEFAULT_CLASSES = "DEFAULT_AUTHENTICATION_CLASSES"

# Classes that require the code: their subclasses open no door.
CONTRIB = "django_bandwidth_mfa.contrib"
REFUSES_WITHOUT_CODE = f"{CONTRIB}.rest_framework.authentication.CodeRequiredMixin"
TAKES_TWO_STEPS = f"{CONTRIB}.rest_framework.two_steps.CompletionMixin"
ASKS_BEFORE_REFRESH = f"{CONTRIB}.simplejwt.serializers.LiveLoginMixin"
WAITS_FOR_CODE = f"{CONTRIB}.allauth.stages.CodeStage"
ASKS_ABOUT_SESSIONS = f"{CONTRIB}.allauth.strategies.LiveSessionMixin"


def find_doors() -> list[Door]:
    """Return all open doors, in the order of ``kinds``."""
    views = list(routed_views())
    doors: list[Door] = [*_rest_basic_by_default(views)]
    for kind, is_door in _KINDS:
        doors += _doors(kind, [view for view in views if _stands_open(is_door, view)])
    return doors


def find_endless_refreshes() -> list[str]:
    """Return the views in which simplejwt refreshes a token without a check of its login.

    The result is empty unless the token logins of the site require a code: other tokens contain no
    data about their login.
    """
    # If several views have the same address, the first one answers.
    views = list({view.address: view for view in reversed(list(routed_views()))}.values())
    serializers = [(view, _serializer_of(view)) for view in views]
    if not any(_takes_two_steps(serializer) for _view, serializer in serializers):
        return []
    return sorted(
        f"{view.address} ({view.path})"
        for view, serializer in serializers
        if is_subclass(
            serializer,
            "rest_framework_simplejwt.serializers.TokenRefreshSerializer",
            "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer",
        )
        and not is_subclass(serializer, ASKS_BEFORE_REFRESH)
    )


def find_endless_sessions() -> list[str]:
    """Return the views in which allauth accepts a session token without a check of the session.

    Views that are doors are left out: they are reported as doors, and closing these solves this,
    too.
    """
    views = [
        view
        for view in routed_views()
        if _is_login_of_apps(view) and not _stands_open(_is_allauth, view)
    ]
    if not views or is_subclass(type(_allauth_strategy()), ASKS_ABOUT_SESSIONS):
        return []
    return sorted({f"{view.address} ({view.path})" for view in views})


def _stands_open(is_door: Callable[[RoutedView], bool], view: RoutedView) -> bool:
    """Return the result of ``is_door``; True if it raises.

    The functions first recognise their view, and then read the settings of the package.  If a
    release of the package keeps these settings elsewhere, the view is still reported.
    """
    try:
        return is_door(view)
    except Exception:
        return True


def _doors(kind: Kind, views: Iterable[RoutedView]) -> Iterator[Door]:
    """Yield one door for each view, even if it has several addresses."""
    addresses: dict[str, list[str]] = {}
    for view in views:
        addresses.setdefault(view.path, []).append(view.address)
    for path, addresses_of_view in addresses.items():
        yield Door(kind, path, f"{_first(addresses_of_view, 'address', 'addresses')} ({path})")


def _first(names: list[str], one: str, many: str) -> str:
    more = len(set(names)) - 1
    return names[0] + (f" and {more} more {one if more == 1 else many}" if more else "")


def _classes(view: RoutedView, name: str) -> list[object]:
    classes = view.option(name)
    return list(classes) if isinstance(classes, list | tuple) else []


def _takes_basic(view: RoutedView) -> bool:
    return view.is_a("rest_framework.views.APIView") and any(
        is_subclass(one, "rest_framework.authentication.BasicAuthentication")
        and not is_subclass(one, REFUSES_WITHOUT_CODE)
        for one in _classes(view, "authentication_classes")
    )


def _takes_defaults(view: RoutedView) -> bool:
    """Return whether the view has the default authentication classes of ``APIView``."""
    if not view.is_a("rest_framework.views.APIView"):
        return False
    api_view = import_module("rest_framework.views").APIView
    return view.option("authentication_classes") is api_view.authentication_classes


def _rest_basic_by_default(views: list[RoutedView]) -> Iterator[Door]:
    """Yield one door for all views with the default classes, since one setting closes it."""
    taking = [view for view in views if _takes_basic(view) and _takes_defaults(view)]
    if taking:
        paths = list(dict.fromkeys(view.path for view in taking))
        place = (
            f'REST_FRAMEWORK["{DEFAULT_CLASSES}"] contains BasicAuthentication (also by default), '
            f"which is accepted at {taking[0].address} ({_first(paths, 'view', 'views')})"
        )
        yield Door(kinds.REST_BASIC, DEFAULT_CLASSES, place)


def _is_rest_basic(view: RoutedView) -> bool:
    return _takes_basic(view) and not _takes_defaults(view)


def _is_rest_token(view: RoutedView) -> bool:
    return view.is_a(
        "rest_framework.authtoken.views.ObtainAuthToken", "djoser.views.TokenCreateView"
    ) and not _takes_two_steps(view.option("serializer_class"))


def _takes_two_steps(serializer: object) -> bool:
    """Return whether ``serializer`` requires the code after the password."""
    return is_subclass(serializer, TAKES_TWO_STEPS)


def _is_simplejwt(view: RoutedView) -> bool:
    """Return whether the serializer of the view accepts a password, without a code."""
    if not view.is_a("rest_framework_simplejwt.views.TokenViewBase"):
        return False
    serializer = _serializer_of(view)
    if _takes_two_steps(serializer):
        return False
    return is_subclass(
        serializer, "rest_framework_simplejwt.serializers.TokenObtainSerializer"
    ) or "password" in getattr(serializer, "_declared_fields", {})


def _serializer_of(view: RoutedView) -> object:
    """Return the serializer of a view.  simplejwt's own views keep it as a dotted path."""
    serializer, path = view.option("serializer_class"), view.option("_serializer_class")
    if serializer is None and isinstance(path, str) and path:
        return import_string(path)
    return serializer


def _is_for_signed_in_users(view: RoutedView) -> bool:
    """Return whether the view requires a signed-in user, whose login is checked elsewhere."""
    return any(
        is_subclass(
            one,
            "rest_framework.permissions.IsAuthenticated",
            "rest_framework.permissions.IsAdminUser",
        )
        for one in _classes(view, "permission_classes")
    )


def _is_dj_rest_auth(view: RoutedView) -> bool:
    if not view.is_a("dj_rest_auth.views.LoginView") or _is_for_signed_in_users(view):
        return False
    if _takes_two_steps(view.option("serializer_class")):
        return False
    in_force = import_module("dj_rest_auth.app_settings").api_settings
    return bool(in_force.USE_JWT or in_force.TOKEN_MODEL)


def _is_knox(view: RoutedView) -> bool:
    """Return whether it is a login view of knox for anonymous visitors, who send a password.

    knox's own view requires a user who is already signed in, by a session or by HTTP Basic, which
    is a door of its own.
    """
    return view.is_a("knox.views.LoginView") and not _is_for_signed_in_users(view)


def _is_allauth(view: RoutedView) -> bool:
    """Return whether the client "app" gets a token that needs no session."""
    if not _is_login_of_apps(view):
        return False
    # With this stage, the code is required before the login.
    stages = import_module("allauth.account.adapter").get_adapter().get_login_stages()
    if any(is_subclass(import_string(one), WAITS_FOR_CODE) for one in stages):
        return False
    # The base class also has these methods, but they issue nothing.
    strategy = [
        one for one in type(_allauth_strategy()).__mro__ if one.__name__ != "AbstractTokenStrategy"
    ]
    # JWT_STATEFUL_VALIDATION_ENABLED is ignored: with it, some releases of allauth check only that
    # the session exists, which is also true for a parked session.
    return any(
        name in vars(one)
        for one in strategy
        for name in ("create_access_token", "create_access_token_payload")
    )


def _is_login_of_apps(view: RoutedView) -> bool:
    is_login = view.is_a("allauth.headless.account.views.LoginView")
    return is_login and str(getattr(view.option("client"), "value", "")) == "app"


def _allauth_strategy() -> object:
    strategy: object = import_module("allauth.headless.app_settings").TOKEN_STRATEGY
    return strategy


def _is_oauth2(view: RoutedView) -> bool:
    """Return whether the server accepts the password grant.

    The database says which grant each application uses, and an application can be added at any
    time.
    """
    if not view.is_a("oauth2_provider.views.base.TokenView"):
        return False
    in_force = import_module("oauth2_provider.settings").oauth2_settings
    # Newer versions have a setting that refuses the grant.
    if getattr(in_force, "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT", False) is True:
        return False
    server = view.option("server_class") or in_force.OAUTH2_SERVER_CLASS
    pre_configured = "oauthlib.oauth2.rfc6749.endpoints.pre_configured"
    return is_subclass(
        server, f"{pre_configured}.Server", f"{pre_configured}.LegacyApplicationServer"
    )


def _is_ninja_basic(view: RoutedView) -> bool:
    callbacks = getattr(view.view, "auth_callbacks", None) or []
    return any(is_subclass(type(one), "ninja.security.http.HttpBasicAuth") for one in callbacks)


def _is_ninja_jwt(view: RoutedView) -> bool:
    parameters = [
        field.annotation
        for model in getattr(view.view, "models", None) or []
        for field in model.model_fields.values()
    ]
    return any(
        is_subclass(one, "ninja_jwt.schema.TokenObtainInputSchemaBase") for one in parameters
    )


def _is_graphql_jwt(view: RoutedView) -> bool:
    if not view.is_a("graphene_django.views.GraphQLView"):
        return False
    schema = (
        view.option("schema") or import_module("graphene_django.settings").graphene_settings.SCHEMA
    )
    mutation = getattr(schema, "mutation", None)
    fields = getattr(getattr(mutation, "_meta", None), "fields", {})
    return any(
        is_subclass(getattr(field, "type", None), "graphql_jwt.mixins.ObtainJSONWebTokenMixin")
        for field in fields.values()
    )


_KINDS: list[tuple[Kind, Callable[[RoutedView], bool]]] = [
    (kinds.REST_BASIC, _is_rest_basic),
    (kinds.REST_TOKEN, _is_rest_token),
    (kinds.SIMPLEJWT, _is_simplejwt),
    (kinds.DJ_REST_AUTH, _is_dj_rest_auth),
    (kinds.ALLAUTH, _is_allauth),
    (kinds.KNOX, _is_knox),
    (kinds.OAUTH2, _is_oauth2),
    (kinds.NINJA_BASIC, _is_ninja_basic),
    (kinds.NINJA_JWT, _is_ninja_jwt),
    (kinds.GRAPHQL_JWT, _is_graphql_jwt),
]
