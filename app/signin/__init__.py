"""signin: a proof in, an `Identity` out. One file per kind of source, one visible registry.

A source verifies; it keeps nothing. What must be remembered (the pending sign-in, the once-only marks)
it hands to the broker, which stores it.
"""
