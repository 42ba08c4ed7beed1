"""Packaging of giestack; the version stands here and nowhere else."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="giestack",
    version="0.5.0",
    description="An authenticating reverse proxy for Galaxy sites, in one Twisted application",
    long_description=Path(__file__).with_name("README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    python_requires=">=3.11",
    # The explicit root keeps an editable install a plain path entry, so that
    # twistd finds twisted/plugins in the checkout.
    package_dir={"": "."},
    packages=[*find_packages(include=["giestack", "giestack.*"]), "twisted.plugins"],
    package_data={
        "giestack": [
            "py.typed",
            "routing/gxitproxy.sql",
            "site/templates/*",
            "chat/widget/*",
            "chat/widget/engine/*",
            "chat/widget/view/*",
            "chat/widget/locale/*",
        ]
    },
    install_requires=[
        "Twisted[tls]>=26.10",
        "autobahn>=26.7.1",
        "treq",
        "httptools>=0.6",
        "cryptography>=43",
        "pyOpenSSL",
        "service-identity",
        "SQLAlchemy>=2.0.37",
        "attrs",
        "Automat>=25.4",
        "PyYAML",
        "prometheus-client",
        "jinja2",
    ],
    extras_require={
        "postgres": ["psycopg[binary]>=3.2"],
        "fast": ["uvloop"],
        "demo": ["jupyterlab>=4", "ipykernel"],
        "test": [
            "coverage",
            "docker",  # the oracle of our own client
            "gravity>=1.2",  # what gives Galaxy its proxy; with supervisor
            "hypothesis",
            "mypy",
            "mypy-zope",
            "types-PyYAML",
            "types-docker",
            "ruff",
            "playwright",
            "axe-playwright-python",
            "pyhamcrest",  # Twisted's own tests of reactors use it
            "websockets",
        ],
    },
    entry_points={
        "console_scripts": [
            "giestack = giestack.cli:main",
            "giestack-chat = giestack.chat_command:main",
            "giestack-proxy = giestack.proxy_command:main",
        ]
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Intended Audience :: Science/Research",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Internet :: WWW/HTTP",
    ],
)
