"""The channel `sns`: Publish to a topic (SNS API Reference, Publish)."""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.aws.deadline import Deadline, Late, bounded
from app.aws.quiet import hush
from app.notify import words
from app.notify.seam import DeliveryFailed
from app.people import Alert

TIMEOUT: Final = 10.0
"""Seconds for one delivery, the search for credentials included."""
_LONGEST_SUBJECT: Final = 99
"""SNS API Reference, Publish: less than 100 characters."""


class SnsChannel:
    """Publishes with the credentials of the broker's host, in the region of the topic."""

    def __init__(
        self, name: str, topic: str, *, endpoint: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        """`endpoint`: a double; None for AWS."""
        self.name = name
        self._topic = topic
        self._endpoint = endpoint
        self._timeout = timeout

    def send(self, alert: Alert) -> None:
        """Raises DeliveryFailed."""
        try:
            bounded(lambda: self._publish(alert), Deadline.after(self._timeout))
        except Late:
            raise DeliveryFailed(f"SNS did not answer in {self._timeout:g} s") from None
        except ClientError as error:
            said = error.response.get("Error", {})
            raise DeliveryFailed(f"SNS refused: {said.get('Code', 'without a code')}") from None
        except (BotoCoreError, ValueError, OSError) as error:
            raise DeliveryFailed(f"SNS failed: {type(error).__name__}") from None

    def _publish(self, alert: Alert) -> None:
        hush()
        self._client().publish(
            TopicArn=self._topic,
            Subject=words.title(alert, _LONGEST_SUBJECT) or "daypass",
            Message=words.body(alert),
        )

    def _client(self) -> Any:
        # Anew each time: alerts are rare, and a session of its own is safe in any thread.
        settings = Config(
            connect_timeout=self._timeout / 2,
            read_timeout=self._timeout / 2,
            retries={"total_max_attempts": 1},
            proxies={},
        )
        region = self._topic.split(":")[3]
        session = boto3.session.Session()
        return session.client("sns", region_name=region, endpoint_url=self._endpoint, config=settings)
