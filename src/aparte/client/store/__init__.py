"""The profile's store: one SQLCipher file that several processes of the profile may use at once.

Every step is one transaction that takes the write lock at its start, so a step is done or not begun, whenever the
process dies. `db` opens and migrates; the other modules are SQL and nothing else, one for each subject.
"""
