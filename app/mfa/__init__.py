"""mfa: second factors. One file per kind, one row each in `registry`; what they must remember `store` keeps."""
