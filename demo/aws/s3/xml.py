"""S3's answers in XML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from demo.aws.s3.objects import Page
from demo.aws.wire import Rejected, Reply

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def failure(rejected: Rejected, resource: str, request_id: str) -> Reply:
    """`<Error>`, which S3 writes without a namespace."""
    fields = {
        "Code": rejected.code,
        "Message": rejected.message,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": "aws-double",
    }
    return Reply(rejected.status, "application/xml", f"{_HEAD}<Error>{_elements(fields)}</Error>".encode())


def listing(bucket: str, asked: Mapping[str, str], page: Page, most: int, encoded: bool) -> Reply:
    """`<ListBucketResult>`. `asked` are elements that repeat what was asked for, `encoded`: names as in addresses."""

    def name(text: str) -> str:
        return quote(text, safe="/-_.~") if encoded else text

    contents = "".join(
        "<Contents>"
        + _elements(
            {
                "Key": name(each.key),
                "LastModified": instant(each.modified),
                "ETag": each.etag,
                "Size": str(len(each.body)),
                "StorageClass": "STANDARD",
            }
        )
        + "</Contents>"
        for each in page.objects
    )
    common = "".join(
        f"<CommonPrefixes>{_elements({'Prefix': name(each)})}</CommonPrefixes>" for each in page.prefixes
    )
    fields = {
        "Name": bucket,
        **{
            element: name(value) if element != "ContinuationToken" else value
            for element, value in asked.items()
        },
        "MaxKeys": str(most),
        **({"EncodingType": "url"} if encoded else {}),
        "KeyCount": str(len(page.objects) + len(page.prefixes)),
        "IsTruncated": "false" if page.next is None else "true",
        **({} if page.next is None else {"NextContinuationToken": token(page.next)}),
    }
    text = f'{_HEAD}<ListBucketResult xmlns="{NAMESPACE}">{_elements(fields)}{contents}{common}</ListBucketResult>'
    return Reply(200, "application/xml", text.encode())


def token(after: str) -> str:
    """Where a listing goes on, as a text that may stand in XML and in an address."""
    return after.encode().hex() or "-"


def from_token(text: str) -> str:
    """The other way. Raises Rejected (InvalidArgument)."""
    try:
        return bytes.fromhex("" if text == "-" else text).decode()
    except ValueError:
        raise Rejected(400, "InvalidArgument", "The continuation token provided is incorrect") from None


def instant(at: datetime) -> str:
    """A time, to the millisecond."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def _elements(fields: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
