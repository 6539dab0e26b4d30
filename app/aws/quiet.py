"""Keeps the AWS SDK's debug records away from every log.

At DEBUG the SDK writes canonical requests with session tokens and whole answers with secret keys. An
operator who turns on DEBUG for everything must not find them in a log file.
"""

from __future__ import annotations

import logging
import pkgutil

import botocore


def hush() -> None:
    """Drop records below INFO of all the SDK's loggers; may be called any number of times."""
    modules = (module.name for module in pkgutil.iter_modules(botocore.__path__, "botocore."))
    for name in ("boto3", "botocore", *modules, "botocore.crt.auth", "botocore.retries.standard"):
        # A filter, not a level: it holds even where somebody sets the level of one logger.
        logging.getLogger(name).addFilter(_above_debug)


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO
