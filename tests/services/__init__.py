"""Tests against real servers, which they start on loopback: `make test-sources`."""
