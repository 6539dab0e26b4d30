"""An AWS double: STS, the console's federation endpoint and a small S3, with the checks that AWS makes.

Common doubles accept nearly anything, so a broker that is green against them proves little. This one
recomputes signatures, evaluates trust policies and validates every parameter, and answers an honest
caller as AWS would. It listens on 127.0.0.1 only, keeps no state but what its sealed tokens carry
(and objects in memory), and is never imported by the broker.

    python -m demo.aws --port 8090 --state var/aws
"""

from demo.aws.accounts import Accounts, KeyPair, Role, User, shipped
from demo.aws.clock import Clock
from demo.aws.http import Double, serve

__all__ = ["Accounts", "Clock", "Double", "KeyPair", "Role", "User", "serve", "shipped"]
