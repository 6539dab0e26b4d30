"""Where a service's console is: short names → addresses of the AWS console.

The broker decides what may be opened; here names become addresses, and nothing else.
"""

from __future__ import annotations

import difflib
import re

from daypass.profiles import is_region

HOSTS: dict[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
"""Partition → the console's host; its regional forms are `REGION.HOST`."""

GLOBAL = frozenset(
    (
        "account",
        "billing",
        "cloudfront",
        "costs",
        "health",
        "iam",
        "organizations",
        "route53",
        "support",
        "trustedadvisor",
    )
)
"""Services whose console is of no region."""

PATHS: dict[str, str] = {
    "account": "billing/home#/account",
    "acm": "acm/home",
    "amplify": "amplify/home",
    "apigateway": "apigateway/home",
    "appconfig": "systems-manager/appconfig",
    "apprunner": "apprunner/home",
    "appsync": "appsync/home",
    "athena": "athena/home",
    "autoscaling": "ec2/home#AutoScalingGroups:",
    "backup": "backup/home",
    "batch": "batch/home",
    "bedrock": "bedrock/home",
    "billing": "billing/home",
    "cloud9": "cloud9/home",
    "cloudformation": "cloudformation/home",
    "cloudfront": "cloudfront/v4/home",
    "cloudmap": "cloudmap/home",
    "cloudshell": "cloudshell/home",
    "cloudtrail": "cloudtrailv2/home",
    "cloudwatch": "cloudwatch/home",
    "codeartifact": "codesuite/codeartifact/home",
    "codebuild": "codesuite/codebuild/home",
    "codecommit": "codesuite/codecommit/home",
    "codedeploy": "codesuite/codedeploy/home",
    "codepipeline": "codesuite/codepipeline/home",
    "cognito": "cognito/v2/home",
    "config": "config/home",
    "controltower": "controltower/home",
    "costs": "costmanagement/home",
    "directconnect": "directconnect/v2/home",
    "directory": "directoryservicev2/home",
    "dms": "dms/v2/home",
    "dynamodb": "dynamodbv2/home",
    "ec2": "ec2/home",
    "ecr": "ecr/home",
    "ecs": "ecs/v2/home",
    "efs": "efs/home",
    "eks": "eks/home",
    "elasticache": "elasticache/home",
    "elasticbeanstalk": "elasticbeanstalk/home",
    "elb": "ec2/home#LoadBalancers:",
    "emr": "emr/home",
    "eventbridge": "events/home",
    "firehose": "firehose/home",
    "fsx": "fsx/home",
    "glue": "glue/home",
    "grafana": "grafana/home",
    "guardduty": "guardduty/home",
    "health": "health/home",
    "iam": "iam/home",
    "inspector": "inspector/v2/home",
    "kinesis": "kinesis/home",
    "kms": "kms/home",
    "lambda": "lambda/home",
    "logs": "cloudwatch/home#logsV2:log-groups",
    "mq": "amazon-mq/home",
    "msk": "msk/home",
    "mwaa": "mwaa/home",
    "opensearch": "aos/home",
    "organizations": "organizations/v2/home",
    "parameters": "systems-manager/parameters",
    "ram": "ram/home",
    "rds": "rds/home",
    "redshift": "redshiftv2/home",
    "route53": "route53/v2/home",
    "s3": "s3/home",
    "sagemaker": "sagemaker/home",
    "secretsmanager": "secretsmanager/home",
    "securityhub": "securityhub/home",
    "servicequotas": "servicequotas/home",
    "ses": "ses/home",
    "sns": "sns/v3/home",
    "sqs": "sqs/v3/home",
    "sso": "singlesignon/home",
    "stepfunctions": "states/home",
    "support": "support/home",
    "ssm": "systems-manager/home",
    "transfer": "transfer/home",
    "trustedadvisor": "trustedadvisor/home",
    "vpc": "vpcconsole/home",
    "waf": "wafv2/homev2",
    "xray": "xray/home",
}
"""Name → path at the console's host. A region goes before the `#`."""

OTHER_NAMES: dict[str, str] = {
    "aos": "opensearch",
    "apigw": "apigateway",
    "asg": "autoscaling",
    "beanstalk": "elasticbeanstalk",
    "c9": "cloud9",
    "ce": "costs",
    "cf": "cloudfront",
    "cfn": "cloudformation",
    "ct": "cloudtrail",
    "cw": "cloudwatch",
    "ddb": "dynamodb",
    "dx": "directconnect",
    "eb": "elasticbeanstalk",
    "events": "eventbridge",
    "gd": "guardduty",
    "identity-center": "sso",
    "orgs": "organizations",
    "param": "parameters",
    "r53": "route53",
    "secrets": "secretsmanager",
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "stepfn": "stepfunctions",
    "systems-manager": "ssm",
    "tra": "trustedadvisor",
    "wafv2": "waf",
}


class Unknown(ValueError):
    """No service of this name, or no console there. The message says so in words."""


def address(to: str, arn: str, region: str | None) -> str:
    """The console's address for `--to`: an address goes through as it is, a service's name is looked up.

    `arn` is the role's: its partition says which console. Without a region the console takes the person's
    last one. Raises Unknown.
    """
    if "://" in to:
        if not re.match(r"https?://[^\s/]", to):
            raise Unknown(f"`{to}` is not an address that begins with https://")
        return to
    if region is not None and not is_region(region):
        raise Unknown(f"`{region}` does not look like a region, as `eu-west-1` does")
    name = to.strip().lower()
    name = OTHER_NAMES.get(name, name)
    path = PATHS.get(name)
    if path is None:
        near = suggestions(name)
        hint = (
            f"did you mean {' or '.join(f'`{each}`' for each in near)}?"
            if near
            else "give its whole address instead."
        )
        raise Unknown(f"`{to}` is no service that daypass knows the console of; {hint}")
    partition = arn.split(":")[1]
    host = HOSTS.get(partition)
    if host is None:
        raise Unknown(f"the console of {partition} has no public address")
    if name in GLOBAL or region is None:
        return f"https://{host}/{path}"
    before, mark, after = path.partition("#")
    return f"https://{region}.{host}/{before}?region={region}{mark}{after}"


def suggestions(name: str) -> list[str]:
    """Names that look like this one, best first, three at most."""
    known = [*PATHS, *OTHER_NAMES]
    return difflib.get_close_matches(name, known, 3, 0.6)
