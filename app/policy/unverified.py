"""Every point where AWS's documentation is silent or contradicts itself, with the reading taken here.

Each function is one point. `unsure` is what the surrounding statement needs for safety: False where a
match would grant (an Allow must not match), True where a match would refuse (a Deny must match);
negations turn it around on their way down. To change a reading, change its function and nothing else.
"""

from __future__ import annotations

from typing import Final


def wildcard_crosses_colon(unsure: bool) -> bool:
    """A wildcard inside one of an ARN's first five fields (`us-*-1`, `?`) would have to match a colon."""
    return unsure


def empty_variable(unsure: bool) -> bool:
    """A policy variable's key is there but its value is the empty string."""
    return unsure


def unresolved_in_not_resource(unsure: bool) -> bool:
    """An entry of NotResource holds a variable without a value: does it exclude everything or nothing?"""
    return unsure


def variable_in_bool(unsure: bool) -> bool:
    """A policy variable in a Bool condition: one page says it works, one that it does not."""
    return unsure


def several_values_without_set_operator(unsure: bool) -> bool:
    """A key with several values meets an operator without ForAllValues or ForAnyValue."""
    return unsure


def any_value_if_exists_missing(unsure: bool) -> bool:
    """`ForAnyValue:…IfExists` and the key is missing."""
    return unsure


def all_values_negated_missing(unsure: bool) -> bool:
    """`ForAllValues:…Not…` and the key is missing: the text says true, one table says no match."""
    return unsure


def negated_value_not_comparable(unsure: bool) -> bool:
    """A negated Numeric, Date, IpAddress or Arn operator meets a value that is none of its type."""
    return unsure


def network_with_host_bits(unsure: bool) -> bool:
    """`203.0.113.5/24`: the address lies in the network once host bits are cleared."""
    return unsure


def null_without_answer(unsure: bool) -> bool:
    """`Null` with an empty list, or with a value that is neither true nor false."""
    return unsure


def ambiguous_key(unsure: bool) -> bool:
    """Two keys of the request differ only in the case of their names (ours: IAM never sends that)."""
    return unsure


V6_HOST_PREFIX: Final = 128
"""Prefix of an IPv6 address written without one; the documentation says /32 for any address."""

PARTITIONS: Final = frozenset(
    {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"}
)
"""Partitions taken in a resource; a lone `*` stands in AWS's own managed policies."""

# Refused at load, because what IAM would make of them is not known:
#   NullIfExists and a set operator before Null; operators and elements in another case; wildcards in an
#   action's service prefix; two condition keys under one operator that differ only in case; `null` as a
#   condition's value.
# Read as the documents suggest, without a safe side to choose:
#   an unresolved variable beside other values (the others count); wildcards in a variable's default are
#   literal; a date that is a bare number is epoch seconds, whatever its size; several session policies
#   are a union.
