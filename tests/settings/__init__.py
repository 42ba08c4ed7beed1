"""Tests of `giestack.settings`."""
