"""Configuration: YAML, XML, TOML, SQL, Terraform."""

from __future__ import annotations

from random import Random

from samples import Sample

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll ledge".split()
_QUERY = "Which port does the service pelican use?"


def _services(lines: int, seed: int, per_service: int) -> list[tuple[str, int, str]]:
    random = Random(seed)
    count = max(2, lines // per_service)
    services = [
        (f"{random.choice(_WORDS)}-{number}", random.randrange(2000, 9000), random.choice(_WORDS))
        for number in range(count)
    ]
    services[count // 2] = ("pelican", 1777, "jetty")
    return services


def make_yaml(lines: int, seed: int) -> str:
    return "services:\n" + "".join(
        f"  {name}:\n    image: registry/{name}\n    port: {port}\n    labels:\n"
        f"      team: {team}\n      tier: backend\n    replicas: 2\n"
        for name, port, team in _services(lines, seed, 7)
    )


def make_xml(lines: int, seed: int) -> str:
    body = "".join(
        f'  <service name="{name}">\n    <port>{port}</port>\n    <team>{team}</team>\n'
        f"    <image>registry/{name}</image>\n    <tier>backend</tier>\n  </service>\n"
        for name, port, team in _services(lines, seed, 6)
    )
    return f'<?xml version="1.0"?>\n<services>\n{body}</services>\n'


def make_toml(lines: int, seed: int) -> str:
    return "\n".join(
        f'[service.{name}]\nport = {port}\nteam = "{team}"\nimage = "registry/{name}"\n'
        f"replicas = 2\nrestart = true\n"
        for name, port, team in _services(lines, seed, 7)
    )


def make_sql(lines: int, seed: int) -> str:
    return "\n".join(
        f"CREATE TABLE {name.replace('-', '_')} (\n    id integer NOT NULL,\n"
        f"    port integer DEFAULT {port},\n    team varchar(40) DEFAULT '{team}',\n"
        f"    created timestamp NOT NULL,\n    PRIMARY KEY (id)\n);\n"
        for name, port, team in _services(lines, seed, 8)
    )


def make_terraform(lines: int, seed: int) -> str:
    return "\n".join(
        f'resource "service" "{name}" {{\n  port  = {port}\n  team  = "{team}"\n'
        f'  image = "registry/{name}"\n  tags = {{\n    tier = "backend"\n  }}\n}}\n'
        for name, port, team in _services(lines, seed, 9)
    )


SAMPLES = [
    Sample("yaml", "yaml", make_yaml, _QUERY, "port: 1777"),
    Sample("xml", "xml", make_xml, _QUERY, "<port>1777</port>"),
    Sample("toml", "settings", make_toml, _QUERY, "port = 1777"),
    Sample("sql", "sql", make_sql, _QUERY, "port integer DEFAULT 1777"),
    Sample("terraform", "terraform", make_terraform, _QUERY, "port  = 1777"),
]
