"""configuration: `config/` on disk → a checked, immutable, hashed Revision, or every problem at once.

    folder ─► document (YAML with places) ─► typed (one module a kind of file) ─► crosscheck ─► Revision

`read_folder` reads; `load` decides and reads nothing but the references that the files hold. So the store's
copy of the files makes the same revision again. `check_folder` says all there is to say of a folder before it
is applied: policy tests and lint too.
"""

from app.configuration.checking import check_folder
from app.configuration.clients_file import clients
from app.configuration.folder import ConfigurationUnreadable, read_folder
from app.configuration.loading import Loaded, database, key_file, load
from app.configuration.problems import Problem

__all__ = [
    "ConfigurationUnreadable",
    "Loaded",
    "Problem",
    "check_folder",
    "clients",
    "database",
    "key_file",
    "load",
    "read_folder",
]
