"""A small S3: five operations on buckets that the accounts file names, path-style, objects in memory.

PutObject, GetObject, HeadObject, DeleteObject and ListObjectsV2, with Signature Version 4 in the header or in
the query, CORS, and the session policy that came with AssumeRole. Whether a call is allowed is decided by
`policy`, which is the double's own: a second opinion on what the broker sent to STS.

Source: Amazon S3 API Reference. What is not here is answered NotImplemented, never as if it had worked.
"""

from demo.aws.s3.service import S3

__all__ = ["S3"]
