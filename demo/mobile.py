"""What a mobile app does, to read: the token of a sign-in becomes keys, the keys put and list one's own files.

python demo/mobile.py TOKEN [FILE]      TOKEN: what the social provider's sign-in gave the app; docs/how-to/apps.md
                                        says where to find one. BROKER and S3 are the addresses of both.
"""

import hashlib
import hmac
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

BROKER, S3 = os.environ.get("BROKER", "http://localhost:8000"), os.environ.get("S3", "http://127.0.0.1:8090")


# fmt: off
def exchange(token: str) -> dict[str, str]:  # RFC 8693; the app is a public client: a name, and no secret
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "photo-app",
            "subject_token": token, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_issuer": "social", "resource": "arn:aws:iam::444455556666:role/AppUploads",
            "requested_token_type": "urn:daypass:params:oauth:token-type:aws-credentials"}
    try:
        with urlopen(f"{BROKER}/oauth/token", urlencode(form).encode(), timeout=10) as answer:
            return dict(json.load(answer))  # good until its `Expiration`: exchange again some minutes before
    except HTTPError as refused:  # for people the description, for the log the request's id, for the program the code
        sys.exit("{error_description} ({code}, {request_id})".format(**json.load(refused)))


def s3(keys: dict[str, str], method: str, key: str = "", query: str = "", body: bytes = b"") -> bytes:
    # Signature Version 4. In an app the AWS SDK does this.
    now, path = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), quote(f"/app-uploads/{key}".rstrip("/"), safe="/-_.~")
    headers = {"host": urlsplit(S3).netloc, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
               "x-amz-date": now, "x-amz-security-token": keys["SessionToken"]}
    names, lines = ";".join(headers), "".join(f"{name}:{value}\n" for name, value in headers.items())
    asked = "\n".join((method, path, query, lines, names, headers["x-amz-content-sha256"]))
    scope = f"{now[:8]}/eu-west-1/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", now, scope, hashlib.sha256(asked.encode()).hexdigest()))
    signature = b"AWS4" + keys["SecretAccessKey"].encode()
    for part in (*scope.split("/"), text):
        signature = hmac.digest(signature, part.encode(), "sha256")
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature.hex()}")
    with urlopen(Request(f"{S3}{path}?{query}".rstrip("?"), body or None, headers, method=method), timeout=30) as answer:
        return bytes(answer.read())
# fmt: on


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    keys = exchange(sys.argv[1])
    folder = f"{keys['identity_id']}/"  # the one folder that these keys open
    for file in map(Path, sys.argv[2:]):
        s3(keys, "PUT", folder + file.name, body=file.read_bytes())
    print(s3(keys, "GET", query=f"list-type=2&prefix={quote(folder, safe='')}").decode())
