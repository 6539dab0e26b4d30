import pytest

from tests.journeys import browsers
from tests.journeys.foreign import ForeignCompany


# For the package: Playwright runs once at a time in a process, and `tests/web` has its own.
@pytest.fixture(scope="package")
def chromium():
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def acme(tmp_path_factory):
    with ForeignCompany(tmp_path_factory.mktemp("foreign")) as company:
        yield company


@pytest.fixture
def page(chromium, acme, request):
    """A browser at the company with foreign directories; parameters are its options."""
    with browsers.new_page(chromium, acme.base_url, **getattr(request, "param", {})) as opened:
        yield opened
