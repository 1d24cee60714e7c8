"""`aparte demo`: fills a running server with people who talk, as any program could, through the SDK.

`command` is the command; `cast` says who they are, `stage` gives each of them a profile, `script` plays what they say,
and `village`, `circles`, `pairs` hold it by subject: what everybody can read, what a group keeps to itself, what two
say to each other. Played again it goes on where it ended, because every line is looked for before it is said.
"""
