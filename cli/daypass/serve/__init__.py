"""serve: credentials on this machine's loopback, in the shapes that AWS SDKs ask for.

`holder` has one role's credentials in memory and renews them; `container` and `imds` are the two shapes;
`control` switches, asks and stops; `local` is what all three refuse and how they answer.
"""
