"""The certificate that HTTPS is answered with, and the new one when its files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from celeryscope.errors import ConfigError

logger = logging.getLogger(__name__)

#: What tells one version of a file from another: who renews may write it or replace it.
_Mark = tuple[int, int, int]


class Certificate:
    """A certificate, its key, and the TLS context made of them.

    `ca_certs` completes the chain that is shown; nobody is asked for a certificate of their own,
    as in Flower. Raises ConfigError for files that cannot be used.
    """

    def __init__(self, certfile: Path, keyfile: Path, ca_certs: Path | None = None) -> None:
        self._certfile = certfile
        self._keyfile = keyfile
        self._ca_certs = ca_certs
        self._bad: tuple[_Mark, ...] | None = None
        self._told = False
        try:
            self._marks = self._look()
            #: For connections from now on; those that are open keep theirs.
            self.context = self._load()
        except OSError as trouble:  # ssl.SSLError is one
            raise ConfigError(
                f"The certificate for HTTPS cannot be used: {trouble.strerror or trouble} "
                "(--certfile, --keyfile, --ca-certs)"
            ) from trouble

    def renew(self) -> None:
        """Take the files anew if they changed; a pair that does not fit leaves the old one.

        Whoever writes two files writes one of them first. So a bad pair is told of when it is
        still the same at the next look, and once.
        """
        try:
            marks = self._look()
            if marks == self._marks:
                self._bad = None
                return
            context = self._load()
        except OSError as trouble:
            self._complain(trouble)
            return
        # Not loaded into the context that is there: it would keep the old certificate beside the
        # new one when that has a key of another kind, and show it to some.
        self.context, self._marks, self._bad = context, marks, None
        logger.info("The new certificate of %s is used from now on", self._certfile)

    def _complain(self, trouble: OSError) -> None:
        try:
            marks = self._look()
        except OSError:
            marks = ()
        if marks != self._bad:
            self._bad, self._told = marks, False
        elif not self._told:
            self._told = True
            logger.error(
                "The new certificate cannot be used, and the old one stays: %s. Check %s and %s",
                trouble.strerror or trouble,
                self._certfile,
                self._keyfile,
            )

    def _look(self) -> tuple[_Mark, ...]:
        found = [path.stat() for path in (self._certfile, self._keyfile)]
        return tuple((told.st_mtime_ns, told.st_size, told.st_ino) for told in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # A password, so that OpenSSL does not ask for one at the terminal when a key has one.
        context.load_cert_chain(self._certfile, self._keyfile, password="")
        if self._ca_certs is not None:
            context.load_verify_locations(self._ca_certs)
        return context
