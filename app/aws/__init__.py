"""aws: what the broker says to AWS and what it believes of the answer.

CredentialRequest in, Credentials or a console link out. `client` holds the order of the steps; `chain`
finds the broker's own credentials, `sts` and `console` are the two conversations, `failover` and
`channel` carry them, `partitions` knows the hosts. Nothing here stores or logs a credential.
"""

from app.aws.client import Aws

__all__ = ["Aws"]
