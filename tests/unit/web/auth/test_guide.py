"""The examples of docs/how-to/log-in.md are settings that the console starts with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from celeryscope.config.load import load
from celeryscope.web.auth.flower_oauth import login_provider
from celeryscope.web.auth.proxy import Proxy
from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "how-to" / "log-in.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_is_taken(tmp_path: Path, example: str) -> None:
    file = tmp_path / "celeryscope.toml"
    file.write_text(example)
    env = {"CELERYSCOPE_CONFIG": str(file), "CELERYSCOPE_BROKER": "memory://"}
    loaded = load(command="serve", env=env, directory=tmp_path)
    config = loaded.config
    assert loaded.warnings == []
    if config.oidc_client_id:
        login_provider(
            provider=cast("Any", config.oidc_provider),
            issuer=config.oidc_issuer,
            client_id=config.oidc_client_id,
            client_secret="secret",
            redirect_uri=f"{config.external_url}/login/callback",
            scopes=config.oidc_scopes,
            role_claim=config.oidc_role_claim,
            roles=cast("Any", config.oidc_roles),
            default_role=cast("Any", config.oidc_default_role or None),
            emails=config.oidc_emails,
        )
    elif config.trusted_proxies:
        proxy = Proxy(
            trusted=config.trusted_proxies,
            user_header=config.proxy_user_header,
            role_header=config.proxy_role_header,
            roles=cast("Any", config.proxy_roles),
            default_role=cast("Any", config.proxy_default_role or None),
        )
        assert proxy.names_people
    else:
        assert config.anonymous_role == "viewer"


def test_there_is_an_example_for_each_way() -> None:
    assert len(EXAMPLES) >= 10
    assert GUIDE.count("oidc_provider = ") == 4
