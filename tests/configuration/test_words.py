"""Each mistake is said with its place, its key, what was expected and the nearest name."""

from __future__ import annotations

import pytest

from tests.configuration.builders import FILES, edited, files, loaded, said

D, A, G = "daypass.yaml", "accounts.yaml", "groups.yaml"
C, P = "providers/corp.yaml", "providers/partner.yaml"

MISTAKES = {
    "an unknown key names the nearest": (
        A,
        ("{allow: [sre]}", "{max_duratoin: 1h, allow: [sre]}"),
        "config/accounts.yaml:4:13  max_duratoin  unknown key; did you mean `max_duration`?",
    ),
    "an unknown key with no near name lists them": (
        D,
        ("keys: {file: var/keys}", "keys: {file: var/keys, zzz: 1}"),
        "config/daypass.yaml:5:24  zzz  unknown key; expected one of `file`",
    ),
    "a missing key says what was expected": (
        D,
        ("name: Acme\n", ""),
        "config/daypass.yaml:1:1  name  is missing; expected: the company's name, as pages show it",
    ),
    "a key without a value": (
        D,
        ("name: Acme", "name:"),
        "config/daypass.yaml:2:1  name  has no value; give it one, or leave the key out",
    ),
    "another version of the format": (
        D,
        ("version: 1", "version: 2"),
        "config/daypass.yaml:1:10  version  expected 1, the version of this format",
    ),
    "true for the version": (
        D,
        ("version: 1", "version: true"),
        "config/daypass.yaml:1:10  version  expected 1, the version of this format",
    ),
    "text where a mapping belongs": (
        D,
        ("keys: {file: var/keys}", "keys: var/keys"),
        "config/daypass.yaml:5:7  keys  expected a mapping (`key: value`): where SAML's and the sealing keys lie",
    ),
    "text where a list belongs": (
        D,
        ("[eu-west-1]", "eu-west-1"),
        "config/daypass.yaml:6:16  regions  expected a list (`[a, b]`): regions of STS, first choice first",
    ),
    "no region": (
        D,
        ("[eu-west-1]", "[]"),
        "config/daypass.yaml:6:16  regions  is empty; expected at least one",
    ),
    "a region of another partition": (
        D,
        ("[eu-west-1]", "[eu-west-1, cn-north-1]"),
        "config/daypass.yaml:6:28  regions  is not a region of the partition `aws`",
    ),
    "a region twice": (
        D,
        ("[eu-west-1]", "[eu-west-1, eu-west-1]"),
        "config/daypass.yaml:6:28  regions  is named twice in this list; take one out",
    ),
    "a region that is none": (
        D,
        ("[eu-west-1]", "[Ireland]"),
        "config/daypass.yaml:6:17  regions  expected a region like `eu-west-1`",
    ),
    "an unknown partition": (
        D,
        ("{regions", "{partition: aws-cm, regions"),
        "config/daypass.yaml:6:18  partition  expected one of `aws`, `aws-cn`, `aws-us-gov`, `aws-iso`, `aws-iso-b`, "
        "`aws-iso-e`, `aws-iso-f`, `aws-eusc`; did you mean `aws-cn`?",
    ),
    "a path in base_url": (
        D,
        ("localhost:8000", "localhost:8000/sso"),
        "config/daypass.yaml:3:11  base_url  expected scheme, host and port only, without a path or a slash",
    ),
    "a base_url over http off loopback": (
        D,
        ("http://localhost:8000", "http://sso.acme.test"),
        "config/daypass.yaml:3:11  base_url  expected `https://`; `http://` is for loopback only",
    ),
    "a database that is none": (
        D,
        ("sqlite:///var/daypass.db", "mysql://db/x"),
        "config/daypass.yaml:4:11  database  expected `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`",
    ),
    "a password in the database's URL": (
        D,
        ("sqlite:///var/daypass.db", "postgresql+psycopg://me:hunter2@db/daypass"),
        "config/daypass.yaml:4:11  database  holds a password, and a secret is never text here",
    ),
    "everybody as a trusted proxy": (
        D,
        ("keys:", "trusted_proxies: [0.0.0.0/0]\nkeys:"),
        "config/daypass.yaml:5:19  trusted_proxies  would let everybody choose their own address",
    ),
    "a trusted proxy with host bits": (
        D,
        ("keys:", "trusted_proxies: [10.0.0.1/8]\nkeys:"),
        "config/daypass.yaml:5:19  trusted_proxies  expected an IP address, or a network like `10.0.0.0/8`",
    ),
    "idle longer than lifetime": (
        D,
        ("keys:", "session: {lifetime: 1h, idle: 2h}\nkeys:"),
        "config/daypass.yaml:5:31  idle  is longer than `lifetime`; expected at most that",
    ),
    "access tokens that AWS's clients take for expired": (
        D,
        ("keys:", "tokens: {access: 14m}\nkeys:"),
        "config/daypass.yaml:5:18  access  expected 15m to 168h",
    ),
    "refresh shorter than access": (
        D,
        ("keys:", "tokens: {access: 2h, refresh: 1h}\nkeys:"),
        "config/daypass.yaml:5:31  refresh  is shorter than `access`; expected at least that",
    ),
    "a channel that is none": (
        D,
        ("keys:", "alerts: [lgo]\nkeys:"),
        "config/daypass.yaml:5:10  alerts  expected `log`, `{webhook: …}`, `{email: …}` or `{sns: …}`; did you mean `log`?",
    ),
    "two channels in one": (
        D,
        ("keys:", "alerts: [{email: a@b.test, sns: x}]\nkeys:"),
        "config/daypass.yaml:5:10  alerts  expected `log`, `{webhook: …}`, `{email: …}` or `{sns: …}`",
    ),
    "a webhook's address as text": (
        D,
        ("keys:", "alerts: [{webhook: https://hooks.acme.test/T0/s3cr3t}]\nkeys:"),
        "config/daypass.yaml:5:20  webhook  a secret is never text here; write `{env: NAME}` or `{file: PATH}`",
    ),
    "a topic of another partition": (
        D,
        ("keys:", "alerts: [{sns: 'arn:aws-cn:sns:cn-north-1:111122223333:x'}]\nkeys:"),
        "config/daypass.yaml:5:16  sns  is not in the partition `aws`",
    ),
    "an account without quotes": (
        A,
        ('"111122223333"', "111122223333"),
        'config/accounts.yaml:1:1  111122223333  YAML does not read this as text; quote it: `"111122223333"`',
    ),
    "an account that YAML would read as octal": (
        A,
        ('"111122223333"', "012345670123"),
        'config/accounts.yaml:1:1  012345670123  YAML does not read this as text; quote it: `"012345670123"`',
    ),
    "an account of eleven digits": (
        A,
        ('"111122223333"', '"11112222333"'),
        "config/accounts.yaml:1:1  11112222333  expected an account ID: 12 digits, in quotes; this has 11 of them",
    ),
    "a role's name that IAM does not take": (
        A,
        ("Admin:", "Ad min:"),
        "config/accounts.yaml:4:5  Ad min  expected a role's name in IAM: 1 to 64 of `A-Za-z0-9_+=,.@-`",
    ),
    "two roles that differ in case": (
        A,
        ("ReadOnly:", "ADMIN:"),
        "config/accounts.yaml:5:5  ADMIN  differs from `Admin` only in case; IAM takes both for the same role",
    ),
    "a role twice": (
        A,
        ("ReadOnly:", "Admin:"),
        "config/accounts.yaml:5:5  Admin  a second time; the first is on line 4",
    ),
    "an account's name twice": (
        A,
        ('"111122223333":\n', '"444455556666":\n  name: production\n"111122223333":\n'),
        "config/accounts.yaml:4:9  name  is also the name of 444455556666; people could not tell the two apart",
    ),
    "an unknown level": (
        A,
        ("level: read", "level: raed"),
        "config/accounts.yaml:5:23  level  expected one of `admin`, `power`, `read`; did you mean `read`?",
    ),
    "a duration under 15 minutes": (
        A,
        ("{allow: [sre]}", "{max_duration: 899, allow: [sre]}"),
        "config/accounts.yaml:4:27  max_duration  expected 15m to 1h",
    ),
    "a duration over an hour": (
        A,
        ("{allow: [sre]}", "{max_duration: 61m, allow: [sre]}"),
        "config/accounts.yaml:4:27  max_duration  expected 15m to 1h",
    ),
    "a duration that YAML reads in sixties": (
        A,
        ("{allow: [sre]}", "{max_duration: 1:00, allow: [sre]}"),
        "config/accounts.yaml:4:27  max_duration  expected a duration: `15m`, `1h`, or seconds",
    ),
    "a duration in words": (
        A,
        ("{allow: [sre]}", "{max_duration: an hour, allow: [sre]}"),
        "config/accounts.yaml:4:27  max_duration  expected a duration: `15m`, `1h`, or seconds",
    ),
    "a group that nobody knows": (
        A,
        ("[sre]", "[sree]"),
        "config/accounts.yaml:4:21  allow  unknown group; no provider's `groups` gives it, and `groups.yaml` does not "
        "have it; did you mean `sre`?",
    ),
    "a group twice": (
        A,
        ("[sre]", "[sre, sre]"),
        "config/accounts.yaml:4:26  allow  is named twice in this list",
    ),
    "a group that YAML reads as a boolean": (
        A,
        ("[sre]", "[on]"),
        'config/accounts.yaml:4:21  allow  YAML does not read this as text; quote it: `"on"`',
    ),
    "a kept group of an unknown provider": (
        A,
        ("[sre]", "[sre, crop/Staff]"),
        "config/accounts.yaml:4:26  allow  unknown provider `crop`; did you mean `corp`?",
    ),
    "a kept group of a provider that keeps none": (
        A,
        ("[sre]", "[sre, corp/Staff]"),
        "config/accounts.yaml:4:26  allow  warning: nobody can get this group: the `groups` of provider `corp` have no",
    ),
    "an unknown session policy": (
        A,
        ("session_policy: no-secrets", "session_policy: no-secret"),
        "config/accounts.yaml:5:80  session_policy  unknown policy; expected `NAME` of `policies/NAME.json`; did you "
        "mean `no-secrets`?",
    ),
    "a template as session policy": (
        A,
        ("session_policy: no-secrets", "session_policy: aws:ReadOnlyAccess"),
        "config/accounts.yaml:5:80  session_policy  a template says which roles may be entered",
    ),
    "a hop that is no role": (
        A,
        ("{allow: [sre]}", "{allow: [sre], via: 'arn:aws:iam::1:role/Hub'}"),
        "config/accounts.yaml:4:32  via  expected a role's ARN: `arn:aws:iam::111122223333:role/NAME`",
    ),
    "a hop in another partition": (
        A,
        ("{allow: [sre]}", "{allow: [sre], via: 'arn:aws-cn:iam::111122223333:role/Hub'}"),
        "config/accounts.yaml:4:32  via  is not in the partition `aws`",
    ),
    "a hop through the role itself": (
        A,
        ("{allow: [sre]}", "{allow: [sre], via: 'arn:aws:iam::111122223333:role/Admin'}"),
        "config/accounts.yaml:4:32  via  is the role itself",
    ),
    "an external ID as text": (
        A,
        ("{allow: [sre]}", "{allow: [sre], external_id: ext-4711}"),
        "config/accounts.yaml:4:40  external_id  a secret is never text here; write `{env: NAME}` or `{file: PATH}`",
    ),
    "a tag's value that AWS does not take": (
        A,
        ("{allow: [sre]}", "{allow: [sre], tags: {team: 'a;b'}}"),
        "config/accounts.yaml:4:40  team  a tag holds letters, digits, blanks and `_.:/=+-@` only",
    ),
    "a tag of AWS's own": (
        A,
        ("{allow: [sre]}", "{allow: [sre], tags: {AWS:team: x}}"),
        "config/accounts.yaml:4:34  AWS:team  a tag's key does not begin with `aws:`",
    ),
    "a tag's key that is too long": (
        A,
        ("{allow: [sre]}", f"{{allow: [sre], tags: {{{'k' * 129}: x}}}}"),
        f"config/accounts.yaml:4:34  {'k' * 79}…  a tag's key has 1 to 128 characters",
    ),
    "two tags that differ in case": (
        A,
        ("{allow: [sre]}", "{allow: [sre], tags: {Team: x, team: y}}"),
        "config/accounts.yaml:4:43  team  differs from `Team` only in case; STS refuses both",
    ),
    "an unknown policy of a group": (
        G,
        ("aws:PowerUserAccess", "aws:PowerUser"),
        "config/groups.yaml:1:18  policies  unknown policy; expected a template or a file of `policies/`; did you mean "
        "`aws:PowerUserAccess`?",
    ),
    "a group in a group": (
        G,
        ("sre: {policies", "sre: {members: [engineering], policies"),
        "config/groups.yaml:1:7  members  groups are flat: a group holds no groups and lists no people",
    ),
    "a group that nobody can get": (
        G,
        ("sre: {policies", "ser: {description: x}\nsre: {policies"),
        "config/groups.yaml:1:1  ser  warning: nobody can get this group: no provider's `groups` gives it; did you mean "
        "`sre`?",
    ),
    "a group's name that is none": (
        G,
        ("sre: {policies", "a b: {}\nsre: {policies"),
        "config/groups.yaml:1:1  a b  expected a group's name: letters, digits",
    ),
    "a kind of provider that is none": (
        C,
        ("type: saml", "type: smal"),
        "config/providers/corp.yaml:1:7  type  expected `saml`, `oidc` or `oauth2`; did you mean `saml`?",
    ),
    "a provider without a kind": (
        C,
        ("type: saml\n", ""),
        "config/providers/corp.yaml:1:1  type  is missing; expected: `saml`, `oidc` or `oauth2`",
    ),
    "a key of the other kind": (
        C,
        ("claims:", "issuer: http://127.0.0.1:8002\nclaims:"),
        "config/providers/corp.yaml:4:1  issuer  unknown key; expected one of `label`",
    ),
    "metadata twice": (
        C,
        ("{url: http://127.0.0.1:8001/metadata}", "{url: http://127.0.0.1:8001/metadata, file: x.xml}"),
        "config/providers/corp.yaml:3:1  metadata  expected exactly one of `{url: …}` and `{file: …}`",
    ),
    "no metadata": (
        C,
        ("{url: http://127.0.0.1:8001/metadata}", "{}"),
        "config/providers/corp.yaml:3:1  metadata  expected exactly one of `{url: …}` and `{file: …}`",
    ),
    "metadata outside the folder": (
        C,
        ("{url: http://127.0.0.1:8001/metadata}", "{file: ../../etc/passwd}"),
        "config/providers/corp.yaml:3:18  file  leaves the configuration folder",
    ),
    "metadata at an absolute path": (
        C,
        ("{url: http://127.0.0.1:8001/metadata}", "{file: /etc/passwd}"),
        "config/providers/corp.yaml:3:18  file  leaves the configuration folder",
    ),
    "metadata that is not there": (
        C,
        ("{url: http://127.0.0.1:8001/metadata}", "{file: corp.xml}"),
        "config/providers/corp.yaml:3:18  file  there is no such file in the configuration folder",
    ),
    "metadata at an instance's metadata address": (
        C,
        ("http://127.0.0.1:8001/metadata", "http://169.254.169.254/latest"),
        "config/providers/corp.yaml:3:17  url  link-local, metadata, multicast and unspecified addresses are never",
    ),
    "no subject": (
        C,
        ("subject: NameID, ", ""),
        "config/providers/corp.yaml:4:1  subject  is missing; expected: the stable name of a person at this source",
    ),
    "a list for a claim": (
        C,
        ("username: uid", "username: [uid]"),
        "config/providers/corp.yaml:4:37  username  expected text: the name that people and CloudTrail see",
    ),
    "groups without their claim": (
        C,
        (", groups: memberOf}", "}"),
        "config/providers/corp.yaml:5:1  groups  needs `claims.groups`, the claim that the groups come from",
    ),
    "a directory that names itself into a kept group": (
        C,
        ("Ops: sre", "Ops: sre, X: partner/contractors"),
        "config/providers/corp.yaml:5:49  X  expected a bare name; `SOURCE/NAME` groups come from",
    ),
    "everybody in a group": (
        C,
        ("Ops: sre", "Ops: sre, '*': sre"),
        'config/providers/corp.yaml:5:51  *  would put everybody into `sre`; expected `"*": keep`',
    ),
    "keep for one group": (
        C,
        ("Ops: sre", "Ops: sre, X: keep"),
        'config/providers/corp.yaml:5:49  X  `keep` belongs to `"*"` alone; name one of your groups',
    ),
    "a group that opens nothing": (
        C,
        ("Ops: sre", "Ops: sre, X: enginering"),
        "config/providers/corp.yaml:5:49  X  warning: `enginering` opens nothing: no role allows it, and `groups.yaml` "
        "does not have it; did you mean `engineering`?",
    ),
    "a symmetric algorithm": (
        P,
        ("client_id: daypass", "client_id: daypass\nalgorithms: [HS256]"),
        "config/providers/partner.yaml:5:14  algorithms  expected one of `RS256`",
    ),
    "no algorithm at all": (
        P,
        ("client_id: daypass", "client_id: daypass\nalgorithms: [none]"),
        "config/providers/partner.yaml:5:14  algorithms  expected one of `RS256`",
    ),
    "scopes without openid": (
        P,
        ("client_id: daypass", "client_id: daypass\nscopes: [profile]"),
        "config/providers/partner.yaml:5:9  scopes  expected `openid` among the scopes",
    ),
    "an issuer that is no address": (
        P,
        ("http://127.0.0.1:8002", "accounts"),
        "config/providers/partner.yaml:3:9  issuer  expected an address that begins with `https://`",
    ),
    "an issuer with a query": (
        P,
        ("http://127.0.0.1:8002", "http://127.0.0.1:8002?x=1"),
        "config/providers/partner.yaml:3:9  issuer  an issuer has no `?` part",
    ),
    "a client secret as text": (
        P,
        ("{env: PARTNER_CLIENT_SECRET}", "hunter2"),
        "config/providers/partner.yaml:5:16  client_secret  a secret is never text here",
    ),
    "a client secret that YAML reads as a number": (
        P,
        ("{env: PARTNER_CLIENT_SECRET}", "12345"),
        "config/providers/partner.yaml:5:16  client_secret  a secret is never text here",
    ),
    "a variable that is not set": (
        P,
        ("PARTNER_CLIENT_SECRET", "PARTNER_SECRET"),
        "config/providers/partner.yaml:5:16  client_secret  the environment variable `PARTNER_SECRET` is not set",
    ),
    "yes for a boolean": (
        P,
        ("client_id: daypass", "client_id: daypass\nuserinfo: yes"),
        "config/providers/partner.yaml:5:11  userinfo  expected `true` or `false`: also ask the userinfo endpoint",
    ),
    "an unknown boundary": (
        P,
        ("boundary: ec2-only", "boundary: ec2only"),
        "config/providers/partner.yaml:8:11  boundary  unknown policy; expected `NAME` of `policies/NAME.json`; did you "
        "mean `ec2-only`?",
    ),
    "a database in memory, which workers could not share": (
        D,
        ("sqlite:///var/daypass.db", "'sqlite:///:memory:'"),
        "config/daypass.yaml:4:11  database  expected a file: `sqlite:///var/daypass.db`; all workers share it",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_with_its_place(name: str) -> None:
    path, edit, expected = MISTAKES[name]
    lines = said(edited(path, edit))
    assert [line for line in lines if line.startswith(expected)], "\n".join(lines)


def test_the_configuration_that_is_broken_above_is_right_by_itself() -> None:
    assert said(FILES) == []


def test_no_message_repeats_a_secret() -> None:
    made = edited(
        P, ("{env: PARTNER_CLIENT_SECRET}", "hunter2"), ("client_id: daypass", "client_id: {env: LONG}")
    )
    made |= {D: edited(D, ("sqlite:///var/daypass.db", "postgresql+psycopg://me:hunter2@db/x"))[D]}
    lines = "\n".join(said(made, environ={"LONG": "hunter2" * 100}))
    assert lines.count("config/") >= 3
    assert "hunter2" not in lines


def test_everything_is_said_at_once() -> None:
    made = {
        **edited(D, ("name: Acme", "nmae: Acme")),
        A: edited(A, ("[sre]", "[sree]"), ("level: read", "level: raed"))[A],
        G: "sre: {policies: [nothing]}\n",
        C: edited(C, ("label", "lable"), ("username: uid", "username: [uid]"))[C],
    }
    places = [(problem.file, problem.line, problem.key) for problem in loaded(made).problems]
    assert places == [
        ("config/accounts.yaml", 4, "allow"),
        ("config/accounts.yaml", 5, "level"),
        ("config/daypass.yaml", 1, "name"),
        ("config/daypass.yaml", 2, "nmae"),
        ("config/groups.yaml", 1, "policies"),
        ("config/providers/corp.yaml", 1, "label"),
        ("config/providers/corp.yaml", 2, "lable"),
        ("config/providers/corp.yaml", 4, "username"),
    ]


def test_one_mistake_makes_no_others() -> None:
    # What is wrong gets a stand-in, and nothing is said of the stand-in.
    assert len(said(edited(A, ("[sre]", "[sre, a b]")))) == 1
    assert len(said(edited(C, ("label: Acme staff\n", "")))) == 1
    assert len(said(edited(C, ("subject: NameID, ", "")))) == 1
    assert len(said(edited(D, ("http://localhost:8000", "localhost")))) == 1
    assert len(said(edited(D, ("{regions", "{partition: aws-chn, regions")))) == 1
    assert len(said(files(corp="type: saml\n  label: [\n"))) == 1


def test_a_key_named_like_pydantics_mark_is_a_key_like_any_other() -> None:
    assert said(edited(A, ("{allow: [sre]}", '{allow: [sre], "[key]": 1}'))) == [
        "config/accounts.yaml:4:27  [key]  unknown key; expected one of `description`, `level`, `max_duration`, `allow`, "
        "`inline`, `session_policy`, `tags`, `via`, `external_id`, `break_glass`"
    ]
    assert said(edited(A, ("{allow: [sre]}", '{allow: [sre], tags: {"[key]": x}}'))) == [
        "config/accounts.yaml:4:34  [key]  a tag holds letters, digits, blanks and `_.:/=+-@` only"
    ]


def test_without_its_own_settings_a_configuration_is_nothing() -> None:
    found = loaded(files(daypass=None, accounts=None))
    assert found.revision is None
    assert [str(problem) for problem in found.problems] == [
        "config/accounts.yaml  is missing; copy the one that ships with daypass and change it",
        "config/daypass.yaml  is missing; copy the one that ships with daypass and change it",
    ] + [line for line in said(files(daypass=None, accounts=None)) if "missing" not in line]


def test_without_a_provider_nobody_could_sign_in() -> None:
    assert (
        "config/providers/  holds no provider; nobody could sign in without one, or without `local` in daypass.yaml"
        in said(files(corp=None, partner=None))
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("account.yaml", "unknown file; it is not read; did you mean `accounts.yaml`?"),
        ("accounts.yml", "unknown file; it is not read; did you mean `accounts.yaml`?"),
        ("provider/x.yaml", "unknown file; it is not read; did you mean `providers/x.yaml`?"),
        ("client/bot.yaml", "unknown file; it is not read; did you mean `clients/bot.yaml`?"),
        ("clients/bot.yml", "unknown file; it is not read; did you mean `clients/bot.yaml`?"),
        ("clients/deep/x.yaml", "unknown file; it is not read"),
        ("policies/deep/x.json", "unknown file; it is not read"),
    ],
)
def test_a_file_that_is_not_read_is_a_warning(path: str, expected: str) -> None:
    found = loaded({**FILES, path: "anything"})
    assert [f"config/{path}  warning: {expected}"] == [
        str(p)[: len(f"config/{path}  warning: {expected}")] for p in found.problems
    ]
    assert found.revision is not None
    assert path not in found.revision.files


@pytest.mark.parametrize("path", ["providers/Corp.yaml", "providers/a b.yaml", f"providers/{'x' * 33}.yaml"])
def test_a_file_name_that_is_no_id_is_refused(path: str) -> None:
    lines = said({**FILES, path: FILES["providers/corp.yaml"]})
    assert (
        f"config/{path}  the file's name is the id of what it holds; expected 1 to 32 of `a-z0-9-`, then `.yaml`"
        in lines
    )
