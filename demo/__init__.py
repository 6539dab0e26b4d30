"""The demo: a directory of people, a double of AWS, and the program that runs both beside the broker.

For this machine only: everything here listens on loopback, refuses other hosts, and shows its
passwords. `app/` never imports it.
"""
