"""git as a carrier of files: a remote is read, one branch of it is fetched, signatures are judged.

Nothing of a repository is run and nothing of it steers how git runs: it is data.
"""
