"""The keys and defaults that the contract fixes, and that no secret can be seen."""

from dataclasses import fields, is_dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.kinds import ListOf, MapOf, Secret, Section, keys_of
from giestack.settings.schema import Settings

from .world import EverythingThere, load

# Names and defaults as administrators, and other releases, rely on them. Examples are empty.
CONTRACT = """
instance:
secret:
galaxy:
  config_file:
  id_secret:
  database_connection:
  admin_users:
  session_duration: 0
  require_login: false
  use_remote_user: false
  remote_user_header: REMOTE_USER
  cookie_name: galaxysession
  url:
  ca_file:
  touch_last_action: false
proxy:
  listen: [tcp:8800]
  prefix: /giestack
  gie_prefix: /gie_proxy
  interactivetools_prefix: /interactivetool/ep
  interactivetools_domains: []
  interactivetools_auth:
  session_maps: []
  polling_interval: 5.0
  forward: {ip: , port: , reverse_proxy: false, allowed_targets: []}
  go_api: {api_key: , noaccess: 60, clean_interval: 10}
  hub_api: {listen: [], token: }
  services: []
  trusted_proxies: [127.0.0.1, "::1"]
  allowed_origins: []
  session_cache: 10.0
  limits: {head: 65536, body: 0, connections: 0, connect_timeout: 5, head_timeout: 10,
    idle_timeout: 75, response_timeout: 3600}
admin:
  listen: ["tcp:8801:interface=127.0.0.1"]
  token:
data_dir: var
log: {level: info, access: access.log, audit: audit.jsonl}
"""
OTHER_PARTS = """
openbis:
  url: https://openbis.example.org
  ca_file:
  verify_certificates: true
  integration_listen: []
spawner:
  engines: []
  profiles:
    - {name: jupyter, title: , description: , image: "quay.io/x", scheme: http, port: 8888,
       path: /lab, command: [], user: , env: {}, secrets: {}, volumes: {}, memory: 2G, cpus: 1.0,
       pids: 512, shm_size: 64M, ulimits: {}, cap_add: [], read_only: false, tmpfs: [],
       devices: [], gpus: 0, network: , readiness: {path: /api, timeout: 60}, stop_timeout: 10,
       strip_path: false, idle_timeout: 3600, max_lifetime: 0, warm: 0, api_key: false,
       options: {}, groups: [], admin_only: false}
  gie_plugins_directory:
  domain:
  per_user: 3
  total: 50
  images: {per_user: 5, size: 20G}
chat:
  opt_in: true
  listen: [tcp:7070]
  enabled: true
  rooms: []
  database: sqlite:///chat.sqlite
  impersonation: deny
  moderators: []
  limits: {length: 4000, frame: 65536, rate: 1.0, burst: 5, edit_seconds: 900,
    sockets_per_user: 16}
  filter: {deny: [], mask: []}
  retention_days: 0
"""
FEWEST = """
openbis: {url: https://openbis.example.org}
spawner: {profiles: [{name: jupyter, image: quay.io/x}]}
chat:
"""


class ContractTests(EverythingThere):
    def test_defaults(self) -> None:
        self.assertEqual(load(CONTRACT).settings, load("").settings)

    def test_defaults_of_the_other_parts(self) -> None:
        self.assertEqual(load(CONTRACT + OTHER_PARTS).settings, load(FEWEST).settings)


def secrets(kind: object) -> bool:
    """Whether a kind reads a secret."""
    inner = kind.kind if isinstance(kind, (ListOf, MapOf)) else kind
    return isinstance(inner, Secret) or type(inner).__name__ == "DatabaseUrl"


def sections(cls: type[Any]) -> list[type[Any]]:
    """A section and all below it."""
    found = [cls]
    for key in keys_of(cls).values():
        inner = key.kind.kind if isinstance(key.kind, ListOf) else key.kind
        if isinstance(inner, Section):
            found += sections(inner.cls)
    return found


class SchemaTests(SynchronousTestCase):
    def test_secrets_stay_out_of_repr(self) -> None:
        hidden = {
            f"{cls.__name__}.{one.name}"
            for cls in sections(Settings)
            for one in fields(cls)
            if not one.repr
        }
        known = {
            f"{cls.__name__}.{name}"
            for cls in sections(Settings)
            for name, key in keys_of(cls).items()
            if secrets(key.kind)
        }
        self.assertEqual(hidden, known)
        self.assertEqual(len(hidden), 8)

    def test_sections_are_frozen_values(self) -> None:
        for cls in sections(Settings):
            self.assertTrue(is_dataclass(cls))
            self.assertEqual(cls(), cls())
            with self.assertRaises(AttributeError):
                setattr(cls(), fields(cls)[0].name, "x")
            self.assertFalse(hasattr(cls(), "__dict__"), cls)
