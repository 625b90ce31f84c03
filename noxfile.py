"""The parts of the gate, each of which can run alone: ``nox --list`` names them.

Arguments after ``--`` go to pytest in the sessions that run it, and replace the session's own
choice of tests: ``nox -s "database(postgresql)" -- tests/views/test_verify.py``. A session without
an environment of its own uses the environment of nox: the working copy's, with the extra ``dev``.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The ports are those of `.ci/services`.
POSTGRESQL_PORT = os.environ.get("PGPORT", "5432")
MARIADB_PORT = os.environ.get("MYSQL_TCP_PORT", "3306")
REDIS_PORT = os.environ.get("REDIS_PORT", "6379")
POSTGRESQL_URL = os.environ.get(
    "CI_POSTGRES_URL", f"postgres://postgres@127.0.0.1:{POSTGRESQL_PORT}/bandwidth_mfa"
)
MARIADB_URL = os.environ.get(
    "CI_MARIADB_URL", f"mysql://root@127.0.0.1:{MARIADB_PORT}/bandwidth_mfa"
)
REDIS_URL = os.environ.get("CI_REDIS_URL", f"redis://127.0.0.1:{REDIS_PORT}/9")

# The description of the JSON API.
DESCRIPTION = ROOT / "django_bandwidth_mfa/api/openapi.json"

DATABASES = ("sqlite", "postgresql", "mariadb")
# The race of these tests needs a cache on another server.
OLD_COOKIES = "tests/proof/test_old_cookies.py"
# These tests use no database.
NO_DATABASE = ("--ignore=tests/bandwidth", "--ignore=tests/simulator")
# Bandwidth's SDK: the release whose smoke tests run, and 6.14, whose calls have other names.
SDK = "bandwidth-sdk==23.3.1"
OLD_SDK = "bandwidth-sdk==6.14.2"
# The release whose own tests also run. Its wheel does not contain them.
OTP = "django-otp==1.7.5"
# The release whose own tests run. They name the tests that cannot pass with this app.
DJ_REST_AUTH = "dj-rest-auth[with-mfa,with-social]==7.2.0"
# It finds mistakes in a page that exclude people with disabilities.
AXE = "axe-core@4"

nox.options.sessions = ["lint", "tests"]
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"

# nox looks for other versions of Python on PATH only; pyenv keeps them in folders of their own.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
os.environ["PATH"] = os.pathsep.join(
    [os.environ["PATH"], *(str(folder / "bin") for folder in sorted(_PYENV.glob("3.*")))]
)


def supported(classifier: str) -> list[str]:
    """Return the versions that pyproject.toml names after ``classifier``."""
    versions = (line.rpartition(" :: ") for line in PROJECT["project"]["classifiers"])
    return [version for start, _, version in versions if start == classifier and "." in version]


# "5.2.1" of "django>=5.2.1"
[OLDEST_DJANGO] = [
    dependency.removeprefix("django>=")
    for dependency in PROJECT["project"]["dependencies"]
    if dependency.startswith("django>=")
]

Environment = Mapping[str, str | None]  # None takes a variable away


def run_python(
    session: nox.Session, *arguments: str, environment: Environment | None = None
) -> None:
    """Run a program with the working copy's Python.

    Raises ``CommandFailed`` if the program fails.
    """
    session.run(sys.executable, *arguments, env=environment, external=True)


def run_tests(session: nox.Session, *chosen: str, environment: Environment | None = None) -> None:
    """Run the tests that are named after ``--`` in one process. Without names, run ``chosen``."""
    arguments = chosen_tests(session, *chosen)
    run_python(session, "-m", "pytest", *arguments, environment=environment)


def run_each(session: nox.Session, *commands: tuple[str, ...], **variables: str) -> None:
    """Run all commands, so that one run shows all failures. Fail at the end if a command failed."""
    failed = []
    for command in commands:
        try:
            session.run(*command, env=variables, external=True)
        except nox.command.CommandFailed:
            failed.append(" ".join(command))
    if failed:
        session.error("failed: " + ", ".join(failed))


def chosen_tests(session: nox.Session, *chosen: str) -> tuple[str, ...]:
    """Return the arguments after ``--`` for pytest, or else ``chosen``."""
    return ("-n", "0", *session.posargs) if session.posargs else chosen


def prepare_database(session: nox.Session, kind: str) -> dict[str, str | None]:
    """Install the driver and start the server if they are missing.

    Returns the environment variables that let the tests use that database.
    """
    if kind == "sqlite":
        return {"DATABASE_URL": None}
    module, variable, url = {
        "postgresql": ("psycopg_pool", "CI_POSTGRES_URL", POSTGRESQL_URL),
        "mariadb": ("MySQLdb", "CI_MARIADB_URL", MARIADB_URL),
    }[kind]
    if importlib.util.find_spec(module) is None:
        run_python(session, "-m", "pip", "install", "-q", "-e", f".[{kind}]")
    start_service(session, kind, variable)
    return {"DATABASE_URL": url}


def start_service(session: nox.Session, kind: str, variable: str) -> None:
    """Start a server on this machine, unless ``variable`` names one that somebody else started."""
    if variable not in os.environ:
        session.run(str(ROOT / ".ci/services"), kind, external=True)


def install_axe(session: nox.Session) -> str:
    """Install axe-core with npm, and return the path of its script."""
    folder = session.create_tmp()
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--silent")
    session.run("npm", "install", "--prefix", folder, *quiet, AXE, external=True)
    return f"{folder}/node_modules/axe-core/axe.min.js"


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run all tests that need only packages from pip, on SQLite. The slow tests run, too."""
    run_tests(session, "tests")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Check style, types and import rules, and that no migration is missing."""
    commands: list[tuple[str, ...]] = [
        (sys.executable, "-m", "ruff", "check", "."),
        (sys.executable, "-m", "ruff", "format", "--check", "."),
        (sys.executable, "-m", "mypy"),
        (
            *(sys.executable, "-m", "django", "makemigrations", "bandwidth_mfa"),
            *("--check", "--dry-run", "--settings=tests.settings", "--pythonpath=."),
        ),
        (str(Path(sys.executable).with_name("lint-imports")),),
    ]
    # The example's packages are linted too, so they must be importable.
    run_each(session, *commands, PYTHONPATH="example_project")


@nox.session(venv_backend="none")
def languages(session: nox.Session) -> None:
    """Check each catalogue, sign in with each language, and check the names of regions."""
    run_each(
        session,
        (sys.executable, "-m", "tests.catalogues"),
        (sys.executable, "-m", "tests.regions", "--check"),
    )
    run_tests(session, "tests/languages")


@nox.session(venv_backend="none")
def checks(session: nox.Session) -> None:
    """Run Django's deployment checks of the example, and look for known vulnerabilities."""
    production = {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_hex(32),
        "ALLOWED_HOSTS": "bank.example",
        "BANDWIDTH_MFA_ACCOUNT_ID": "9900000",
        "BANDWIDTH_MFA_CLIENT_ID": "client",
        "BANDWIDTH_MFA_CLIENT_SECRET": "secret",
        "BANDWIDTH_MFA_FROM_NUMBER": "+12025550100",
        "BANDWIDTH_MFA_MESSAGING_APPLICATION_ID": "messaging",
        "BANDWIDTH_MFA_RECEIPT_SECRET": secrets.token_hex(20),
    }
    check = ("example_project/manage.py", "check", "--deploy", "--fail-level=WARNING")
    run_each(
        session,
        (sys.executable, *check),
        (sys.executable, ".ci/check_advisories.py"),
        **production,
    )


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Run all tests on SQLite. Fail if less than 90 % of the lines and branches run.

    The code for other packages (``contrib``) is not counted: its tests run in other sessions.
    """
    wanted = chosen_tests(session, "tests", "--cov-fail-under=90")
    run_python(session, "-m", "pytest", "--cov", "--cov-report=term", *wanted)


@nox.session(venv_backend="none")
@nox.parametrize("kind", [nox.param(kind, id=kind) for kind in (*DATABASES, "uuid")])
def database(session: nox.Session, kind: str) -> None:
    """Run the tests that use a database; ``uuid`` is SQLite with UUID keys for users."""
    if kind == "uuid":
        environment = prepare_database(session, "sqlite")
        environment["TEST_USER_MODEL"] = "accounts.UUIDUser"
    else:
        environment = prepare_database(session, kind)
    run_tests(session, "tests", *NO_DATABASE, environment=environment)


@nox.session(venv_backend="none")
def redis(session: nox.Session) -> None:
    """Run the tests of sessions with sessions in Redis, and send old cookies to a server."""
    start_service(session, "redis", "CI_REDIS_URL")
    environment = {"TEST_SESSION_CACHE": REDIS_URL}
    run_tests(session, "tests/internal/login", "tests/views", OLD_COOKIES, environment=environment)


@nox.session(venv_backend="none")
@nox.parametrize("kind", [nox.param(kind, id=kind) for kind in DATABASES])
def proof(session: nox.Session, kind: str) -> None:
    """Attack each database with false answers, races, faults and killed processes."""
    environment = prepare_database(session, kind)
    chosen = ("tests/proof", "tests/test_races.py", f"--ignore={OLD_COOKIES}")
    run_tests(session, "-n0", *chosen, environment=environment)


@nox.session(venv_backend="venv")
def benchmarks(session: nox.Session) -> None:
    """Run small benchmarks, and import a hundred thousand phones.

    The session fails if a ratio is far from normal, and never because of a time. With arguments it
    runs one benchmark: ``nox -s benchmarks -- sign-in --profile``.
    """
    session.install("-q", "-e", ".", "-r", "benchmarks/requirements.txt")
    start_service(session, "postgresql", "CI_POSTGRES_URL")
    if session.posargs:
        session.run("python", "-m", "benchmarks", *session.posargs)
        return
    session.run("python", "benchmarks/import_phones.py")
    session.run("python", "-m", "benchmarks", "check")


@nox.session(venv_backend="none")
def browser(session: nox.Session) -> None:
    """Run the tests in a browser: ``CHROMIUM``, ``chromium`` on the path, or Playwright's."""
    run_tests(session, "-n0", "tests/browser")


@nox.session(venv_backend="none")
def gallery(session: nox.Session) -> None:
    """Take pictures of each state of each page, and list their errors in gallery/index.html.

    Arguments choose states: ``nox -s gallery -- --only locked``. With ``--docs`` the session writes
    the pictures of the documents instead.
    """
    environment = {"AXE": install_axe(session)}
    run_python(session, "-m", "tests.gallery", *session.posargs, environment=environment)


@nox.session(venv_backend="venv")
def neighbours(session: nox.Session) -> None:
    """Test the doors that other packages open. If a package is missing, its tests fail."""
    session.install("-q", "-e", ".[neighbours]")
    site = "--ds=tests.neighbours.settings"
    session.run("python", "-m", "pytest", site, *chosen_tests(session, "tests/neighbours"))


@nox.session(venv_backend="venv")
def allauth(session: nox.Session) -> None:
    """Run allauth's own tests of its headless API, on a site where all users need a code."""
    session.install("-q", "-e", ".[allauth-suite]")
    session.run("python", ".ci/check_allauth.py", session.create_tmp(), *session.posargs)


@nox.session(venv_backend="venv")
def dj_rest_auth(session: nox.Session) -> None:
    """Run dj-rest-auth's own tests, on a site where all users need a code.

    To compare the results: ``nox -s dj_rest_auth -- app`` runs them without our ``contrib``, and
    ``-- none`` without the app.
    """
    session.install("-q", "-e", ".[simplejwt,test]", DJ_REST_AUTH)
    session.run("python", ".ci/check_dj_rest_auth.py", *(session.posargs or ["contrib"]))


@nox.session(venv_backend="venv")
def observability(session: nox.Session) -> None:
    """Test metrics and spans with prometheus_client and OpenTelemetry's SDK."""
    session.install("-q", "-e", ".[opentelemetry,prometheus,test]", "opentelemetry-sdk>=1.30")
    tests = chosen_tests(session, "-n", "0", "tests/observability")
    session.run("python", "-m", "pytest", "--ds=tests.observability.settings", *tests)


@nox.session(venv_backend="venv")
def otp(session: nox.Session) -> None:
    """Test the devices of django-otp, also with django-otp's own tests.

    The tests of transactions run on PostgreSQL, too.
    """
    session.install("-q", "-e", ".[otp,test,postgresql]", OTP)
    session.install("-q", "django-two-factor-auth>=1.18", "freezegun>=1.5")
    start_service(session, "postgresql", "CI_POSTGRES_URL")
    source = Path(session.create_tmp())
    download = ("download", "-q", "--no-deps", "--no-binary=:all:", "-d", str(source), OTP)
    session.run("python", "-m", "pip", *download)
    [archive] = source.glob("django_otp-*.tar.gz")
    shutil.unpack_archive(archive, source, filter="data")
    theirs = source / archive.name.removesuffix(".tar.gz")
    pytest = ("python", "-m", "pytest", "--ds=tests.otp.settings")
    for url in (None, POSTGRESQL_URL):
        environment = {"DJANGO_OTP_SOURCE": str(theirs), "DATABASE_URL": url}
        session.run(*pytest, *chosen_tests(session, "-n", "2", "tests/otp"), env=environment)
    if session.posargs:
        return
    path = os.pathsep.join(map(str, (theirs / "test", theirs / "src", ROOT)))
    their_tests = ("test", "django_otp", "--settings=tests.otp.their_settings")
    session.run("python", "-m", "django", *their_tests, env={"PYTHONPATH": path})


@nox.session(venv_backend="venv")
def openapi(session: nox.Session) -> None:
    """Test the JSON API against its description, with requests that schemathesis generates."""
    session.install("-q", "-e", ".[openapi]")
    session.run("openapi-spec-validator", "--schema", "3.1", str(DESCRIPTION))
    session.run("python", "-m", "pytest", *chosen_tests(session, "-n", "2", "tests/schemathesis"))


@nox.session(venv_backend="none")
def typescript(session: nox.Session) -> None:
    """Generate a TypeScript client from the API's description, and compile code that uses it."""
    folder = Path(session.create_tmp())
    shutil.copytree(ROOT / "tests/typescript", folder, dirs_exist_ok=True)
    shutil.copy(DESCRIPTION, folder)
    with session.chdir(folder):
        for command in (
            ("install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"),
            ("run", "--silent", "generate"),
            ("run", "--silent", "compile"),
        ):
            session.run("npm", *command, external=True)


@nox.session(venv_backend="venv")
def docs(session: nox.Session) -> None:
    """Build the documentation site in build/docs without a warning, and follow the tutorial.

    Each page is opened on a phone and on a desktop, light and dark, and examined with axe-core.
    """
    session.install("-q", "-e", ".[docs]")
    strict = ("--quiet", "--fail-on-warning", "--keep-going", "--fresh-env")
    session.run("sphinx-build", *strict, "docs", "build/docs")
    # With the working copy's Python, which has Playwright.
    environment = {"AXE": install_axe(session)}
    run_python(session, "-m", "tests.gallery.documents", "build/docs", environment=environment)
    wheels = session.create_tmp()
    session.run("pip", "wheel", "-q", "--no-deps", "--wheel-dir", wheels, ".")
    session.run("python", ".ci/check_tutorial.py", wheels)


@nox.session(venv_backend="venv")
def smoke(session: nox.Session) -> None:
    """Run Bandwidth's own smoke tests of its MFA API, unchanged, against the simulator."""
    session.install("-q", "-e", ".", SDK, "pyhamcrest>=2.1", "pytest>=8")
    session.run("python", ".ci/check_smoke.py", session.create_tmp(), *session.posargs)


@nox.session(venv_backend="venv")
def oldsdk(session: nox.Session) -> None:
    """Test the MFA calls of bandwidth-sdk 6.14 against the simulator."""
    test = PROJECT["project"]["optional-dependencies"]["test"]
    # The new SDK's package has the same name.
    others = [line for line in test if not line.startswith("bandwidth-sdk")]
    session.install("-q", "-e", ".", OLD_SDK, *others)
    session.run("python", "-m", "pytest", *chosen_tests(session, "-n0", "tests/sdk6"))


@nox.session(venv_backend="none")
def package(session: nox.Session) -> None:
    """Check the content of wheel and sdist, and the README's installation on a new site."""
    with tempfile.TemporaryDirectory() as folder:
        run_python(session, "-m", "build", "--outdir", f"{folder}/dist", ".")
        run_python(session, ".ci/check_dist.py", f"{folder}/dist")
        run_python(session, ".ci/check_install.py", f"{folder}/dist", f"{folder}/site")


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """Run the README's demo command in a new copy, and sign in to the demo over HTTP."""
    run_python(session, ".ci/check_demo.py")


@nox.session(venv_backend="venv")
def lowest(session: nox.Session) -> None:
    """Run all tests with the lowest versions that pyproject.toml allows."""
    constraints = str(Path(session.create_tmp(), "lowest.txt"))
    run_python(session, ".ci/lowest.py", "write", constraints)
    session.install("-q", "-c", constraints, "-e", ".[test]")
    session.run("python", ".ci/lowest.py", "check")
    session.run("python", "-m", "pytest", *chosen_tests(session, "tests"))


@nox.session(venv_backend="venv")
@nox.parametrize(
    "python,django",
    [
        nox.param(python, django, id=f"{python}, {django}")
        for python in supported("Programming Language :: Python")
        for django in (OLDEST_DJANGO, *supported("Framework :: Django"))
        # Django 6 needs Python 3.12.
        if not (python == "3.11" and django.startswith("6."))
    ],
)
def matrix(session: nox.Session, django: str) -> None:
    """Run all tests on each version of Python and Django that pyproject.toml names.

    A series such as 5.2 means its newest version.
    """
    version = django if django == OLDEST_DJANGO else f"{django}.*"
    session.install("-q", "-e", ".[test]", f"django=={version}")
    session.run("python", "-m", "pytest", *chosen_tests(session, "tests"))
