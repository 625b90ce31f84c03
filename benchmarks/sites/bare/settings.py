from benchmarks.sites.base import *  # noqa: F403

ROOT_URLCONF = "benchmarks.sites.bare.urls"
