"""Builds openhead, the head model that ships with n2fnet, from openly licensed source data."""
