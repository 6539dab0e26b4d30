"""An authenticator and its browser, in software, that can be told to lie (Web Authentication, Level 3, 6 and 7)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
ES256, EDDSA, RS256, ES384 = -7, -8, -257, -35
_RSA = rsa.generate_private_key(65537, 2048)  # once: it takes a second


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "===")


@dataclass
class Authenticator:
    """One credential of one device. What it does honestly can be altered a call at a time."""

    algorithm: int = ES256
    credential: bytes = b"credential-of-this-device"
    counter: int = 1
    """Goes up with each use; 0: the device keeps none."""
    flags: int = UP | UV
    origin: str = "https://pass.acme.example"
    aaguid: bytes = bytes(16)
    user_handle: bytes = b""
    key: object = field(init=False)

    def __post_init__(self) -> None:
        if self.algorithm == EDDSA:
            self.key = ed25519.Ed25519PrivateKey.generate()
        elif self.algorithm == RS256:
            self.key = _RSA
        else:
            self.key = ec.generate_private_key(ec.SECP384R1() if self.algorithm == ES384 else ec.SECP256R1())

    def public_key(self) -> dict[int, object]:
        """As COSE key (RFC 9053, 7)."""
        public = self.key.public_key()
        if self.algorithm == EDDSA:
            return {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        if self.algorithm == RS256:
            return {1: 3, 3: RS256, -1: _bytes(numbers.n), -2: _bytes(numbers.e)}
        size = (public.curve.key_size + 7) // 8
        x, y = numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
        return {1: 2, 3: self.algorithm, -1: 2 if self.algorithm == ES384 else 1, -2: x, -3: y}

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == EDDSA:
            return self.key.sign(data)
        if self.algorithm == RS256:
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(hashes.SHA384() if self.algorithm == ES384 else hashes.SHA256()))

    def create(
        self,
        options: str,
        *,
        client: Mapping[str, object] = {},
        rp_id: str | None = None,
        public_key: object = None,
        attestation: tuple[str, object] | None = None,
        self_attested: bool = False,
        maker: str = "",
        outer: Mapping[str, object] = {},
        flags: int | None = None,
        credential: bytes | None = None,
    ) -> str:
        """`navigator.credentials.create`, as JSON. What is given by name is altered."""
        asked = json.loads(options)
        self.user_handle = unb64(asked["user"]["id"])
        client_data = self._client("webauthn.create", asked["challenge"], client)
        used = self.credential if credential is None else credential
        key = self.public_key() if public_key is None else public_key
        data = (
            self._head(rp_id or asked["rp"]["id"], (self.flags if flags is None else flags) | AT)
            + self.aaguid
            + len(used).to_bytes(2, "big")
            + used
            + (key if isinstance(key, bytes) else cbor2.dumps(key))
        )
        form, statement = attestation or ("none", {})
        if self_attested:
            signed = self.sign(data + hashlib.sha256(client_data).digest())
            form, statement = "packed", {"alg": self.algorithm, "sig": signed}
        if maker:
            form, statement = maker, self._by_maker(maker, data, used, client_data)
        made = cbor2.dumps({"fmt": form, "attStmt": statement, "authData": data})
        return json.dumps(
            {
                "id": b64(used),
                "rawId": b64(used),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64(client_data),
                    "attestationObject": b64(made),
                    "transports": ["usb", "nfc"],
                },
                "clientExtensionResults": {},
                **outer,
            }
        )

    def get(
        self,
        options: str,
        *,
        client: Mapping[str, object] = {},
        rp_id: str | None = None,
        flags: int | None = None,
        counter: int | None = None,
        user_handle: bytes | str | None = "own",
        outer: Mapping[str, object] = {},
        spoil: bool = False,
    ) -> str:
        """`navigator.credentials.get`, as JSON."""
        asked = json.loads(options)
        client_data = self._client("webauthn.get", asked["challenge"], client)
        if self.counter:
            self.counter += 1
        data = self._head(
            rp_id or asked["rpId"],
            self.flags if flags is None else flags,
            self.counter if counter is None else counter,
        )
        signature = self.sign(data + hashlib.sha256(client_data).digest())
        if spoil:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        handle = self.user_handle if user_handle == "own" else user_handle
        return json.dumps(
            {
                "id": b64(self.credential),
                "rawId": b64(self.credential),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64(client_data),
                    "authenticatorData": b64(data),
                    "signature": b64(signature),
                    "userHandle": None if handle is None else b64(handle),
                },
                "clientExtensionResults": {},
                **outer,
            }
        )

    def _by_maker(self, form: str, data: bytes, credential: bytes, client_data: bytes) -> dict[str, object]:
        """What a maker's certificate signs, valid in itself: `packed` (8.2) or `fido-u2f` (8.6)."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = data + hashlib.sha256(client_data).digest()
        if form == "fido-u2f":
            own = self.public_key()
            point = b"\x04" + own[-2] + own[-3]
            signed = b"\x00" + data[:32] + hashlib.sha256(client_data).digest() + credential + point
        statement = {"sig": key.sign(signed, ec.ECDSA(hashes.SHA256())), "x5c": [_certificate(key)]}
        return {**statement, "alg": ES256} if form == "packed" else statement

    def _client(self, what: str, challenge: str, altered: Mapping[str, object]) -> bytes:
        """CollectedClientData (5.8.1)."""
        said = {"type": what, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **altered}
        return json.dumps(said).encode()

    def _head(self, rp_id: str, flags: int, counter: int | None = None) -> bytes:
        """rpIdHash, flags, signCount (6.1)."""
        count = self.counter if counter is None else counter
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")


def _certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    """As `packed` wants a maker's (8.2.1)."""
    parts = {
        NameOID.COUNTRY_NAME: "NO",
        NameOID.ORGANIZATION_NAME: "Maker",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "Authenticator Attestation",
        NameOID.COMMON_NAME: "Maker's keys",
    }
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
