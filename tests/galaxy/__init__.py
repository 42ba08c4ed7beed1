"""Tests with a Galaxy that runs, its own jobs in containers: ``make test-galaxy``.

No module here is called test_*, so that ``make test`` does not take them: Galaxy is 900 MB.
"""
