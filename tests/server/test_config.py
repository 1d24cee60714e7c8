"""The settings: every one is read, every bad one stops the start with a sentence that names it and tells no secret."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from aparte.server.config import Argon2, Config, ConfigurationRefused

KEY = "k" * 32
NEEDED = {
    "DATABASE_URL": "postgres://aparte_app:hunter2@127.0.0.1/aparte",
    "DATABASE_ADMIN_URL": "postgresql://owner:hunter3@127.0.0.1/aparte",
    "VALKEY_URL": "redis://:hunter4@127.0.0.1:6379/0",
    "OBJECTS_URL": "file:///srv/aparte/ob%20jects",
    "APARTE_SECRET_KEY": KEY,
}


def test_what_is_needed_is_enough() -> None:
    config = Config.from_environment(NEEDED)
    assert (config.host, config.port, config.worker, config.workers) == ("127.0.0.1", 8787, 0, 1)
    assert (config.limits, config.argon2, config.password_hash) == (1.0, Argon2(65_536, 3), "argon2id")
    assert config.secret_key == KEY.encode()
    assert config.allowed_origins == frozenset()
    assert config.setup_token_file is None


def test_every_setting_is_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s" * 64 + "\n")
    config = Config.from_environment(
        {name: value for name, value in NEEDED.items() if name != "APARTE_SECRET_KEY"}
        | {
            "APARTE_SECRET_KEY_FILE": str(key),
            "APARTE_HOST": "::",
            "APARTE_PORT": "443",
            "APARTE_WORKER": "3",
            "APARTE_WORKERS": "4",
            "APARTE_PUBLIC_URL": "https://Chat.Example.org/",
            "APARTE_ALLOWED_ORIGINS": "https://a.example, http://localhost:3000/",
            "APARTE_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8 192.0.2.1",
            "APARTE_SETUP_TOKEN_FILE": "/run/token",
            "APARTE_LOG_LEVEL": "DEBUG",
            "APARTE_LIMITS": "2.5",
            "APARTE_ARGON2_MEMORY_KIB": "131072",
            "APARTE_ARGON2_PASSES": "4",
            "APARTE_PASSWORD_HASH": "bcrypt",
            "APARTE_POOL_SIZE": "20",
        }
    )
    assert config == Config(
        database_url=NEEDED["DATABASE_URL"],
        database_admin_url=NEEDED["DATABASE_ADMIN_URL"],
        valkey_url=NEEDED["VALKEY_URL"],
        secret_key=b"s" * 64,
        objects=Path("/srv/aparte/ob jects"),
        host="::",
        port=443,
        worker=3,
        workers=4,
        public_url="https://chat.example.org",
        allowed_origins=frozenset({"https://a.example", "http://localhost:3000"}),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.1/32")),
        setup_token_file=Path("/run/token"),
        log_level="debug",
        limits=2.5,
        argon2=Argon2(131_072, 4),
        password_hash="bcrypt",
        pool_size=20,
    )


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_needed_is_missed_by_name(name: str, value: str | None) -> None:
    environ = {key: text for key, text in NEEDED.items() if key != name}
    if value is not None:
        environ[name] = value
    with pytest.raises(ConfigurationRefused, match=name):
        Config.from_environment(environ)


BAD = [
    ("DATABASE_URL", "mysql://secret@127.0.0.1/aparte"),
    ("DATABASE_URL", "secret"),
    ("DATABASE_ADMIN_URL", "postgres://a:secret@127.0.0.1:port/x"),
    ("VALKEY_URL", "http://:secret@127.0.0.1"),
    ("OBJECTS_URL", "s3://secret"),
    ("OBJECTS_URL", "/srv/objects"),
    ("OBJECTS_URL", "file:objects"),
    ("OBJECTS_URL", "file:///"),
    ("OBJECTS_URL", "file://host/objects"),
    ("OBJECTS_URL", "file:///a%00b"),
    ("OBJECTS_URL", "file:///objects?x"),
    ("APARTE_SECRET_KEY", "secret"),
    ("APARTE_SECRET_KEY_FILE", "/nowhere/at/all"),
    ("APARTE_PORT", "0"),
    ("APARTE_PORT", "65536"),
    ("APARTE_PORT", "8787.0"),
    ("APARTE_PORT", "-1"),
    ("APARTE_PORT", "٣"),
    ("APARTE_PORT", "9" * 5000),
    ("APARTE_WORKER", "1"),
    ("APARTE_WORKERS", "0"),
    ("APARTE_PUBLIC_URL", "chat.example.org"),
    ("APARTE_PUBLIC_URL", "https://chat.example.org/path"),
    ("APARTE_PUBLIC_URL", "https://a.example,https://b.example"),
    ("APARTE_ALLOWED_ORIGINS", "*"),
    ("APARTE_ALLOWED_ORIGINS", "https://a.example,https://user@b.example"),
    ("APARTE_TRUSTED_PROXIES", "everybody"),
    ("APARTE_TRUSTED_PROXIES", "10.0.0.1/8"),
    ("APARTE_LOG_LEVEL", "loud"),
    ("APARTE_LIMITS", "0"),
    ("APARTE_LIMITS", "-1"),
    ("APARTE_LIMITS", "nan"),
    ("APARTE_LIMITS", "inf"),
    ("APARTE_LIMITS", "much"),
    ("APARTE_ARGON2_MEMORY_KIB", "19455"),
    ("APARTE_ARGON2_PASSES", "1"),
    ("APARTE_PASSWORD_HASH", "md5"),
    ("APARTE_POOL_SIZE", "1"),
    ("APARTE_TESTING", "yes"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_setting_is_refused_by_name_and_without_secrets(name: str, value: str) -> None:
    environ = {key: text for key, text in NEEDED.items() if (key, name) != ("APARTE_SECRET_KEY", name + "_FILE")}
    if name == "APARTE_SECRET_KEY_FILE":
        del environ["APARTE_SECRET_KEY"]
    with pytest.raises(ConfigurationRefused, match=name) as refused:
        Config.from_environment(environ | {name: value})
    assert "secret" not in str(refused.value)
    assert "hunter" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="Only one"):
        Config.from_environment(NEEDED | {"APARTE_SECRET_KEY_FILE": str(tmp_path / "key")})


def test_cheap_password_hashes_are_for_tests_alone() -> None:
    cheap = {"APARTE_ARGON2_MEMORY_KIB": "8", "APARTE_ARGON2_PASSES": "1"}
    assert Config.from_environment(NEEDED | cheap | {"APARTE_TESTING": "1"}).argon2 == Argon2(8, 1)
    with pytest.raises(ConfigurationRefused):
        Config.from_environment(NEEDED | cheap)


def test_secrets_are_not_printed() -> None:
    config = Config.from_environment(NEEDED)
    for shown in (repr(config), str(config), f"{config}"):
        assert "hunter" not in shown
        assert KEY not in shown
        assert "127.0.0.1" in shown
