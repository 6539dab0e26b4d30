"""Schema changes, in order; each file is one version. Applied by `store.schema`."""
