"""Groups: a directory cannot name itself into another's."""

from hypothesis import given
from hypothesis import strategies as st

from app.model import GroupMap, SourceId
from app.principal import map_groups

CORP = SourceId("corp")


def test_a_bare_name_comes_only_from_an_explicit_row():
    table = GroupMap({"CN=Engineering": "engineering"})
    assert map_groups(CORP, table, ["CN=Engineering", "sre", "partner/x"]) == {"engineering"}


def test_keep_takes_the_rest_under_the_sources_own_name():
    table = GroupMap({"a": "engineering"}, keep=True)
    assert map_groups(CORP, table, ["a", "sre", "partner/sre"]) == {
        "engineering",
        "corp/sre",
        "corp/partner/sre",
    }


@given(st.lists(st.text(max_size=30)), st.booleans())
def test_no_list_of_names_gives_a_bare_group_that_the_table_does_not_name(theirs, keep):
    ours = map_groups(CORP, GroupMap({"x": "engineering"}, keep=keep), theirs)
    assert all(name == "engineering" or name.startswith("corp/") for name in ours)
