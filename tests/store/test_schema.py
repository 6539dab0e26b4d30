"""The schema: migrations build what the code expects, once, and never on what they do not know."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.errors import StoreUnavailable
from app.store import open_database, open_store
from app.store import schema as schema_module
from app.store.schema import HEAD, VERSIONS
from app.store.tables import METADATA
from tests.conformance.workers import Workers
from tests.store.builders import NOW, session
from tests.store.databases import KINDS, database, fresh, sealer, sql


@pytest.mark.parametrize("kind", KINDS)
def test_the_migrations_build_exactly_the_tables_of_the_code(kind, tmp_path):
    with fresh(kind, tmp_path) as url:
        database = open_database(url, migrate=False)
        with database.read() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), METADATA)
        database.close()
    assert differences == []


def test_the_code_knows_every_migration_in_order():
    config = Config()
    config.set_main_option("script_location", str(Path(schema_module.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(VERSIONS)
    assert scripts.get_heads() == [HEAD]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_start_at_once_on_an_empty_database_all_find_it_ready(kind, tmp_path):
    def start(url: str) -> None:
        assert Workers(url).all_do("opened", processes=4, threads=2) == [True] * 8

    if kind == "sqlite":
        start(f"sqlite:///{tmp_path / 'new' / 'daypass.db'}")
    else:
        with database() as url:
            start(url)


def test_a_database_of_a_newer_daypass_is_refused_in_clear_words_and_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    database = open_database(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    database.close()
    for migrate in (True, False):
        with pytest.raises(StoreUnavailable) as refused:
            open_store(url, sealer(), migrate=migrate)
        assert "newer daypass" in refused.value.detail
        assert "`0999`" in refused.value.detail
    with sqlite3.connect(tmp_path / "daypass.db") as plain:
        assert plain.execute("SELECT version_num FROM alembic_version").fetchall() == [("0999",)]


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(StoreUnavailable, match="not daypass's") as refused:
        open_store(f"sqlite:///{path}", sealer())
    assert "`recipes`" in refused.value.detail
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_an_empty_database_is_not_migrated_where_that_was_not_asked(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreUnavailable, match="db upgrade"):
        open_store(f"sqlite:///{path}", sealer(), migrate=False)
    open_store(f"sqlite:///{path}", sealer()).close()
    open_store(f"sqlite:///{path}", sealer(), migrate=False).close()


@pytest.mark.parametrize("kind", KINDS)
def test_sessions_of_before_are_there_after_their_indexes_went(kind, tmp_path):
    with fresh(kind, tmp_path) as url:
        store = open_store(url, sealer())
        store.sessions.add("token", session())
        sql(store, "CREATE INDEX sessions_expires_at ON sessions (expires_at)")
        sql(store, "CREATE INDEX sessions_idle_at ON sessions (idle_at)")
        sql(store, "UPDATE alembic_version SET version_num = '0005'")
        store.close()
        upgraded = open_store(url, sealer())
        with upgraded.audit._database.read() as connection:
            names = {index["name"] for index in inspect(connection).get_indexes("sessions")}
        assert "sessions_person" in names
        assert not names & {"sessions_expires_at", "sessions_idle_at"}
        assert upgraded.sessions.find("token", NOW) == session()
        assert upgraded.sessions.expire(session().expires_at) == 1
        upgraded.close()


def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    from alembic.operations import Operations

    def broken(self, statement, **options):
        raise StoreUnavailable("power cut")

    # The first migration's triggers come last: by then all its tables are made.
    with monkeypatch.context() as patched:
        patched.setattr(Operations, "execute", broken)
        with pytest.raises(StoreUnavailable, match="power cut"):
            open_store(url, sealer())
    with sqlite3.connect(tmp_path / "daypass.db") as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == []
    database = open_database(url)
    with database.read() as connection:
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}
    database.close()
