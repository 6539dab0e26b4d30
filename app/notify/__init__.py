"""notify: tells operators and people what they must hear of. A channel that fails stops nothing, and is tried again.

`outbox.Notifier` is what others call: `tell` where something happened, `retry` in upkeep. `registry.channels` makes the
channels of a revision, one file a kind. What is left to be told is in the store (`seam.Outbox`), so that a broker that
ends in between loses nothing. Nothing is imported here: the store knows `seam`, and need not load the AWS SDK for it.
"""
