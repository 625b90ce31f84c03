"""Finds the doors, for each package in its own way.  No package is imported to look for its own.

A guard around a token view, such as ``mfa_required``, closes nothing: behind it, a visitor with an
account of their own sends the password of another user.  So guards are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from django.utils.module_loading import import_string

from . import kinds
from .kinds import Door, Kind
from .urlconf import RoutedView, is_subclass, routed_views

DEFAULT_CLASSES = "DEFAULT_AUTHENTICATION_CLASSES"

# What inherits from one of these asks for the code.
CONTRIB = "django_bandwidth_mfa.contrib"
REFUSES_WITHOUT_CODE = f"{CONTRIB}.rest_framework.authentication.CodeRequiredMixin"
TAKES_TWO_STEPS = f"{CONTRIB}.rest_framework.two_steps.CompletionMixin"
ASKS_BEFORE_REFRESH = f"{CONTRIB}.simplejwt.serializers.LiveLoginMixin"
WAITS_FOR_CODE = f"{CONTRIB}.allauth.stages.CodeStage"
ASKS_ABOUT_SESSIONS = f"{CONTRIB}.allauth.strategies.LiveSessionMixin"


def find_doors() -> list[Door]:
    """Return each door that stands open, in the order of ``kinds``."""
    views = list(routed_views())
    found: list[Door] = [*_rest_basic_by_default(views)]
    for kind, is_door in _KINDS:
        found += _doors(kind, [view for view in views if _stands_open(is_door, view)])
    return found


def find_endless_refreshes() -> list[str]:
    """Return where simplejwt refreshes a token without asking whether its login has ended.

    Only on a site whose token logins take two steps.  On another one no token knows of its login.
    """
    # Of views at one address, the first one answers.
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
    """Return where allauth takes the token of a session without asking whether it has ended.

    A login that is a door is told of as one: what closes it closes this, too.
    """
    found = [
        view
        for view in routed_views()
        if _is_login_of_apps(view) and not _stands_open(_is_allauth, view)
    ]
    if not found or is_subclass(type(_allauth_strategy()), ASKS_ABOUT_SESSIONS):
        return []
    return sorted({f"{view.address} ({view.path})" for view in found})


def _stands_open(is_door: Callable[[RoutedView], bool], view: RoutedView) -> bool:
    """Return what ``is_door`` says.  In doubt a door is named.

    Each of them first recognises its view, then reads the settings of the package.  If these cannot
    be read, as in a release of the package that keeps them elsewhere, the view is still there.
    """
    try:
        return is_door(view)
    except Exception:
        return True


def _doors(kind: Kind, views: Iterable[RoutedView]) -> Iterator[Door]:
    """Yield one door for each view, whatever the number of its addresses."""
    addresses: dict[str, list[str]] = {}
    for view in views:
        addresses.setdefault(view.path, []).append(view.address)
    for path, found in addresses.items():
        yield Door(kind, path, f"{_first(found, 'address', 'addresses')} ({path})")


def _first(found: list[str], one: str, many: str) -> str:
    more = len(set(found)) - 1
    return found[0] + (f" and {more} more {one if more == 1 else many}" if more else "")


def _classes(view: RoutedView, name: str) -> list[object]:
    found = view.option(name)
    return list(found) if isinstance(found, list | tuple) else []


def _takes_basic(view: RoutedView) -> bool:
    return view.is_a("rest_framework.views.APIView") and any(
        is_subclass(one, "rest_framework.authentication.BasicAuthentication")
        and not is_subclass(one, REFUSES_WITHOUT_CODE)
        for one in _classes(view, "authentication_classes")
    )


def _takes_defaults(view: RoutedView) -> bool:
    """Return whether the view's classes are REST framework's default, as ``APIView`` read it at
    start."""
    if not view.is_a("rest_framework.views.APIView"):
        return False
    api_view = import_module("rest_framework.views").APIView
    return view.option("authentication_classes") is api_view.authentication_classes


def _rest_basic_by_default(views: list[RoutedView]) -> Iterator[Door]:
    """One door for all views that take the default: one setting closes it."""
    taking = [view for view in views if _takes_basic(view) and _takes_defaults(view)]
    if taking:
        paths = list(dict.fromkeys(view.path for view in taking))
        place = (
            f'REST_FRAMEWORK["{DEFAULT_CLASSES}"] holds BasicAuthentication, as it does where the '
            f"site sets nothing; taken at {taking[0].address} ({_first(paths, 'view', 'views')})"
        )
        yield Door(kinds.REST_BASIC, DEFAULT_CLASSES, place)


def _is_rest_basic(view: RoutedView) -> bool:
    return _takes_basic(view) and not _takes_defaults(view)


def _is_rest_token(view: RoutedView) -> bool:
    return view.is_a(
        "rest_framework.authtoken.views.ObtainAuthToken", "djoser.views.TokenCreateView"
    ) and not _takes_two_steps(view.option("serializer_class"))


def _takes_two_steps(serializer: object) -> bool:
    """Return whether a serializer asks for the code after the password, so that it opens no
    door."""
    return is_subclass(serializer, TAKES_TWO_STEPS)


def _is_simplejwt(view: RoutedView) -> bool:
    """Return whether the serializer takes a password.  Those that refresh and verify a token do
    not."""
    if not view.is_a("rest_framework_simplejwt.views.TokenViewBase"):
        return False
    serializer = _serializer_of(view)
    if _takes_two_steps(serializer):
        return False
    return is_subclass(
        serializer, "rest_framework_simplejwt.serializers.TokenObtainSerializer"
    ) or "password" in getattr(serializer, "_declared_fields", {})


def _serializer_of(view: RoutedView) -> object:
    """Return the serializer of a view.  simplejwt's own views keep the dotted path of theirs."""
    found, path = view.option("serializer_class"), view.option("_serializer_class")
    return import_string(path) if found is None and isinstance(path, str) and path else found


def _is_for_signed_in_users(view: RoutedView) -> bool:
    """Return whether a permission class asks for a user: what signed them in is a door, or is
    covered."""
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
    """Return whether the view lets anonymous visitors in, as one does that looks at the password
    itself.

    The view as knox has it takes who is signed in already: by a session, or by HTTP Basic, which is
    a door of its own.
    """
    return view.is_a("knox.views.LoginView") and not _is_for_signed_in_users(view)


def _is_allauth(view: RoutedView) -> bool:
    """Return whether a login of the client "app" is answered with a token that needs no session."""
    if not _is_login_of_apps(view):
        return False
    # With this stage, nobody is logged in before the code.
    stages = import_module("allauth.account.adapter").get_adapter().get_login_stages()
    if any(is_subclass(import_string(one), WAITS_FOR_CODE) for one in stages):
        return False
    # The base class has these methods, too, and they issue nothing.
    strategy = [
        one for one in type(_allauth_strategy()).__mro__ if one.__name__ != "AbstractTokenStrategy"
    ]
    # JWT_STATEFUL_VALIDATION_ENABLED is not looked at.  Some releases of allauth then look only
    # whether the session exists, and a parked one does.
    return any(
        name in vars(one)
        for one in strategy
        for name in ("create_access_token", "create_access_token_payload")
    )


def _is_login_of_apps(view: RoutedView) -> bool:
    is_login = view.is_a("allauth.headless.account.views.LoginView")
    return is_login and str(getattr(view.option("client"), "value", "")) == "app"


def _allauth_strategy() -> object:
    found: object = import_module("allauth.headless.app_settings").TOKEN_STRATEGY
    return found


def _is_oauth2(view: RoutedView) -> bool:
    """Return whether the server knows the password grant.

    Each application says in the database which grant it uses, and any day one may be added.
    """
    if not view.is_a("oauth2_provider.views.base.TokenView"):
        return False
    in_force = import_module("oauth2_provider.settings").oauth2_settings
    # Newer versions can refuse the grant by a setting; older ones do not know it.
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
