from collections.abc import Iterator

import pytest

from tests.demo.directory.builders import Browser, Site, World, start


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    site = Site()
    directory = start(tmp_path_factory.mktemp("directory"), site)
    yield World(directory, site)
    directory.stop()
    site.close()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """The directory, as it is after start."""
    shared.site.signing_key = shared.site.metadata_key = "broker"
    yield shared
    directory = shared.directory
    for url in (directory.saml_url, directory.oidc_url, directory.social_url):
        Browser().session.delete(f"{url}/_demo/fault", timeout=5)


@pytest.fixture
def browser() -> Browser:
    return Browser()
