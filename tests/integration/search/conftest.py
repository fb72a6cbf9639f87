"""A hub with the services of the flows, whose jobs a test runs."""

from tests.integration.flows.conftest import context, run_jobs, services
from tests.integration.registry.conftest import commit, make_repo, upload

__all__ = ["commit", "context", "make_repo", "run_jobs", "services", "upload"]
