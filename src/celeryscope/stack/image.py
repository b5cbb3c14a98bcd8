"""celeryscope/Dockerfile: the image of Celeryscope, and of the example shop that it brings."""

from __future__ import annotations

from celeryscope import __version__
from celeryscope.stack.images import PYTHON
from celeryscope.stack.text import fill

_DOCKERFILE = """\
# Celeryscope, and the example shop that it brings.
#
# A wheel that lies beside this file goes before the same one of the package index:
#
#   pip wheel --wheel-dir . "celeryscope[oidc]==%{version}"    # with Python %{python}, on Linux
#
# fetches it and all that it needs; with PIP_NO_INDEX=1 in .env the build then asks no index.

ARG PYTHON=%{python}
FROM python:${PYTHON}-slim

ARG PIP_NO_INDEX
ARG PIP_INDEX_URL
RUN --mount=type=bind,target=/wheels \\
    pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \\
    --find-links /wheels "celeryscope[oidc]==%{version}"

# Not root. The data directory is made here, so that a new volume belongs to this user, too.
RUN install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/celeryscope
USER 10001:10001
WORKDIR /var/lib/celeryscope
ENV HOME=/var/lib/celeryscope \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1

EXPOSE 5555
CMD ["celeryscope", "serve"]
"""


def dockerfile() -> str:
    return fill(_DOCKERFILE, version=__version__, python=PYTHON)
