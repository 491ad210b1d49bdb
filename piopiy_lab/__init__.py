"""Prototype Piopiy voice agents in a notebook; filled in below."""
from piopiy_lab._version import __version__ as __version__
