"""Clients with credentials, and without, where a tap asks for some."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from check import SERVICE, TAP_CLIENT, Check, Client, needs
from collector import Collector
from load import Load
from tools import HERE, LOGS, PYTHON, ROOT

# Puts the ports of an example's configuration where they are free.
ANY_PORTS = (
    "yaml:receivers: {otlp: {protocols: {grpc: {endpoint: localhost:0}, http: {endpoint: localhost:0}}}}",
    "yaml:processors: {remote_tap: {endpoint: localhost:0}}",
)


class Security(Check):
    """A check with a collector of its own."""

    def start(self, *configurations: str, directory: Path | None = None) -> None:
        log = LOGS / f"{self.name}-collector.log"
        self.collector = Collector(self.world.program, log, *configurations, directory=directory)
        self.addCleanup(self.collector.stop)
        self.load = Load(self.collector)

    def assert_one_trace(self, client: Client) -> None:
        """Asserts that a client that wants two items gets two spans of the service, as a line each."""
        self.load.spans(self.service, traces=1)
        result = client.finish()
        self.assertEqual(result.status, 0, result.errors)
        self.assertEqual([line["service"] for line in result.lines()], [self.service] * 2)

    def assert_refused(self, client: Client) -> None:
        """Asserts that a client got nothing, and said so in one line."""
        result = client.finish()
        self.assertNotEqual(result.status, 0)
        self.assertEqual((result.output, len(result.errors.splitlines())), ("", 1), result.errors)


class MutualTLS(Security):
    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("collector.yaml", "certificates.sh"):
            shutil.copy(ROOT / "examples" / "mtls" / name, directory)
        subprocess.run([directory / "certificates.sh"], check=True, capture_output=True)
        self.start("collector.yaml", *ANY_PORTS, directory=directory)
        certificates = directory / "certs"
        self.authority = certificates / "ca.crt"
        self.own = (certificates / "client.crt", certificates / "client.key")
        # The certificate is for localhost.
        self.address = f"localhost:{self.collector.tap.rpartition(':')[2]}"

    def certificates(self, dashes: str) -> tuple[str, ...]:
        certificate, key = map(str, self.own)
        return (f"{dashes}cacert", str(self.authority), f"{dashes}cert", certificate, f"{dashes}key", key)

    @needs("openssl", "curl")
    def test_tls_curl(self) -> None:
        """curl watches the collector of examples/mtls with a certificate, and not without"""
        url = f"https://{self.address}/v1/traces?service={self.service}&count=2&format=json"
        self.assert_one_trace(self.watch("curl", "-sSN", *self.certificates("--"), url))
        self.assert_refused(self.run_client("curl", "-sSN", "--cacert", str(self.authority), url))

    @needs("openssl", "grpcurl")
    def test_tls_grpcurl(self) -> None:
        """grpcurl does so too, with a certificate and not without"""
        call = ("-d", f'{{"service": ["{self.service}"], "count": 2}}', self.address, f"{SERVICE}/Tap")
        client = self.watch("grpcurl", *self.certificates("-"), *call)
        self.load.spans(self.service, traces=1)
        result = client.finish()
        self.assertEqual(result.status, 0, result.errors)
        self.assertIn('"reason": "count_reached"', result.output)
        stranger = self.run_client("grpcurl", "-cacert", str(self.authority), *call).finish()
        self.assertNotEqual(stranger.status, 0)
        self.assertEqual(stranger.output, "")

    @needs("openssl", "python packages")
    def test_tls_tap_client(self) -> None:
        """tap_client.py does so too, and insists on the name in the tap's certificate"""
        command = (
            str(PYTHON),
            TAP_CLIENT,
            "--endpoint",
            self.address,
            "--filter-service",
            self.service,
            "--count",
            "2",
        )
        named = (*command, *self.certificates("--"), "--server-name")
        self.assert_one_trace(self.watch(*command, *self.certificates("--")))
        self.assert_one_trace(self.watch(*named, "127.0.0.1"))
        self.assert_refused(self.run_client(*named, "collector.example"))
        self.assert_refused(self.run_client(*command, "--cacert", str(self.authority)))


class Token(Security):
    @needs("python packages")
    def test_token(self) -> None:
        """tap_client.py watches with a token from a file, and is told what is wrong without"""
        self.start(str(HERE / "collector.yaml"), str(HERE / "token.yaml"))
        token = Path(self.enterContext(tempfile.TemporaryDirectory()), "token")
        token.write_text("s3cret\n", encoding="utf-8")
        command = (str(PYTHON), TAP_CLIENT, "--endpoint", self.collector.tap, "--filter-service", self.service)
        self.assert_one_trace(self.watch(*command, "--count", "2", "--token-file", str(token)))
        stranger = self.run_client(*command)
        self.assert_refused(stranger)
        self.assertRegex(stranger.last_words(), "refused: .*credentials.*Bearer")
