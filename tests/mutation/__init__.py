"""Mutation run: small errors planted in the code, one at a time; the tests must notice each.

By command only, see `python -m tests.mutation --help`.
"""
