from __future__ import annotations

import pytest

from celeryscope.errors import ConfigError
from celeryscope.stack import choose, dotenv

EVERYTHING = choose(with_=["flower,postgres"])
SECRETS = {
    "REDIS_PASSWORD", "POSTGRES_PASSWORD", "CELERYSCOPE_PASSWORD", "FLOWER_PASSWORD",
    "GRAFANA_PASSWORD", "GRAFANA_SECRET_KEY",
}  # fmt: skip


def test_a_new_file_has_a_secret_of_128_bits_or_more_for_each_service_that_needs_one() -> None:
    made = dotenv.read(dotenv.complete(None, EVERYTHING))
    assert made.keys() == SECRETS
    assert all(int(secret, 16).bit_length() > 128 for secret in made.values())
    assert {len(secret) for secret in made.values()} == {48}


def test_no_two_secrets_are_equal() -> None:
    files = [dotenv.read(dotenv.complete(None, EVERYTHING)) for _ in range(2)]
    assert len({secret for made in files for secret in made.values()}) == 2 * len(SECRETS)


def test_what_is_there_stays_and_what_lacks_is_added() -> None:
    before = "# mine\nREDIS_PASSWORD = 'old' \nPORT_GRAFANA=3001"
    after = dotenv.complete(before, EVERYTHING)
    assert after.startswith(before + "\n")
    assert dotenv.read(after)["REDIS_PASSWORD"] == "old"
    assert dotenv.read(after).keys() == {*SECRETS, "PORT_GRAFANA"}
    assert dotenv.complete(after, EVERYTHING) == after


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  A = b  ", "b"),
        ("A='b # c'", "b # c"),
        ('A="b"', "b"),
        ("A=b # c", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("A=b=c", "b=c"),
    ],
)
def test_an_assignment_is_read_as_compose_reads_it(line: str, value: str) -> None:
    assert dotenv.read(f"# A=comment\n{line}\n") == {"A": value}


def test_the_url_of_a_broker_is_kept_in_it_whatever_signs_it_has() -> None:
    url = 'amqp://me:p$a#s"s@broker:5672//'
    choice = choose(broker=url)
    text = dotenv.complete(None, choice)
    assert dotenv.read(text)["CELERY_BROKER_URL"] == url
    assert "REDIS_PASSWORD" not in text
    assert dotenv.complete(text, choice) == text


def test_another_broker_is_not_put_in_its_place() -> None:
    text = dotenv.complete(None, choose(broker="redis://one"))
    with pytest.raises(ConfigError, match="Change it there"):
        dotenv.complete(text, choose(broker="redis://two"))


def test_the_example_has_the_names_and_no_values() -> None:
    text = dotenv.example(EVERYTHING)
    assert dotenv.read(text) == dict.fromkeys(SECRETS, "")
