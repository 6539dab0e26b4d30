"""The demo directory: a company's SAML 2.0 identity provider, its partner's OpenID provider, and a social network.

One process, three listeners on 127.0.0.1. Each is strict about what it is asked, as a real directory
is: signed SAML requests, exact addresses, codes that work once, PKCE always.

    people.yaml → people            who there is
    desk                            the sign-in form and the directory's own session (so that SSO is felt)
    saml, saml_peer, saml_site      the SAML identity provider
    grants, code_grant              codes and tokens of the next two
    oidc_server, oidc_site          the OpenID provider
    social_server, social_site      Chirp: plain OAuth 2.0, with a token check in Facebook's manner
    faults, clock                   what tests may break, and the time they may move
    server, __main__                all listeners; `python -m demo.directory`
"""
