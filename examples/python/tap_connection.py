"""A tap over gRPC: the connection, the account of what came, and errors in words.

This is the part that another program can use as it is, for any signal. tap_client.py is about spans.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read by the import: its log repeats what its errors say

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from remotetap.v1.tap_pb2 import End, Ledger, Refusal, Stats, TapRequest, TapResponse
from remotetap.v1.tap_pb2_grpc import TapServiceStub

log = logging.getLogger(__name__)

# Why items are lost while a tap is open, as a user would put it.
LOSSES = {
    "skipped": "passed unread, as the collector's max_overhead was used up",
    "overhead": "the collector's max_overhead was used up",
    "rate_limit": "over the items a second that this tap may have",
    "byte_limit": "over the MiB a second that this tap may have",
    "queue_full": "this client reads too slowly",
    "internal_error": "a bug of the tap; the collector's log has more",
}

# Why a tap ends before its time, and what to do about it.
EARLY_ENDS = {
    "shutdown": "the collector stops or reloads; connect again",
    "max_duration": "the collector allows no longer taps (per_tap::max_duration); ask for less, or connect again",
    "write_timeout": "this client accepted nothing for too long",
    "internal_error": "a bug of the tap; the collector's log has more",
}


class TapError(Exception):
    """A tap could not be reached, or ended before its time."""


class TapRefused(TapError):
    """The collector refused to open a tap, and said why and what to do."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        words = [f"refused: {refusal.error}"]
        if refusal.hint:
            words.append(refusal.hint)
        holders = [f"{t.remote} since {t.since.ToDatetime():%Y-%m-%dT%H:%M:%SZ}" for t in refusal.taps]
        if holders:
            words.append(f"held by {', '.join(holders)}")
        super().__init__("; ".join(words))


@dataclass(frozen=True)
class Endpoint:
    """Where a tap is, and what it takes to be let in."""

    address: str  # HOST:PORT
    tls: bool = False  # with the public authorities, unless ca_file names one
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""  # in the tap's certificate, where it is not HOST
    token: str = ""  # a bearer token

    @classmethod
    def parse(cls, text: str, **rest: str) -> Endpoint:
        """Reads HOST:PORT, which is plain text unless certificates are given, or https://HOST:PORT."""
        scheme, found, address = text.rpartition("://")
        if found and scheme not in ("http", "https"):
            raise ValueError(f"{text}: write HOST:PORT, or https://HOST:PORT for TLS")
        secured = any(rest.get(key) for key in ("ca_file", "cert_file", "key_file", "server_name"))
        if scheme == "http" and secured:
            raise ValueError(f"{text}: this is plain text; write https:// to use certificates")
        if bool(rest.get("cert_file")) != bool(rest.get("key_file")):
            raise ValueError("a certificate and its key are of use only together; give both")
        return cls(address.rstrip("/"), tls=scheme == "https" or secured, **rest)

    def channel(self) -> grpc.Channel:
        """Opens a channel, which connects when it is used. Raises OSError for an unreadable file."""
        options: list[tuple[str, int | str]] = [
            ("grpc.keepalive_time_ms", 15_000),  # notice a collector that has vanished
            ("grpc.max_receive_message_length", -1),  # the collector's queue_mib is the limit
        ]
        if not self.tls:
            return grpc.insecure_channel(self.address, options)
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        credentials = grpc.ssl_channel_credentials(_read(self.ca_file), _read(self.key_file), _read(self.cert_file))
        return grpc.secure_channel(self.address, credentials, options)

    def metadata(self) -> list[tuple[str, str]]:
        """Returns what each call carries."""
        return [("authorization", f"Bearer {self.token}")] if self.token else []


class Tap:
    """An open tap. Iterating over it yields the responses with telemetry, until the tap ends.

    Ask for `stats` in the request to have `ledger` kept current; it is final when the tap has
    ended. Losses and hints are logged as warnings. Use it in a `with` statement, which ends the
    tap, or call close(), which any thread may.
    """

    def __init__(
        self, endpoint: str | Endpoint, request: TapRequest, on_open: Callable[[list[str]], None] | None = None
    ) -> None:
        """Asks for a tap, without waiting. on_open is called with the points, before all telemetry."""
        self.endpoint = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
        self.ledger = Ledger()
        self.reason = ""  # why it ended, in the words of the .proto
        self._on_open = on_open
        self._hints: set[str] = set()
        self._closed = False
        self._channel = self.endpoint.channel()
        self._call = TapServiceStub(self._channel).Tap(request, metadata=self.endpoint.metadata())

    def __iter__(self) -> Iterator[TapResponse]:
        """Blocks for each response. Raises TapError, also for a tap that ended before its time."""
        try:
            for response in self._call:
                content = response.WhichOneof("content")
                if content == "stats":
                    self._take_stats(response.stats)
                elif content == "end":
                    self._take_end(response.end)
                elif content is not None:  # None is a later version's
                    yield response
        except grpc.RpcError as error:
            if not self._closed:
                raise self._explain(error) from error

    def __enter__(self) -> Tap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the tap. A second call does nothing."""
        self._closed = True
        self._call.cancel()
        self._channel.close()

    def _take_stats(self, stats: Stats) -> None:
        if self._on_open is not None:
            self._on_open(list(stats.points))
            self._on_open = None
        before, now = not_sent(self.ledger), not_sent(stats.ledger)
        for reason, meaning in LOSSES.items():
            if now.get(reason, 0) > before.get(reason, 0):
                log.warning("lost %d so far by %s: %s", now[reason], reason, meaning)
        for hint in stats.hints:
            if hint not in self._hints:
                log.warning("hint: %s", hint)
        self._hints.update(stats.hints)
        self.ledger = stats.ledger

    def _take_end(self, end: End) -> None:
        self.ledger, self.reason = end.ledger, end.reason
        log.info("the tap ended: %s; %s", end.reason, in_words(end.ledger))

    def _explain(self, error: grpc.RpcError) -> TapError:
        code, details = error.code(), error.details()
        if refusal := refusal_of(error):
            return TapRefused(refusal)
        if self.reason:
            return TapError(f"the tap ended before its time: {self.reason}: {EARLY_ENDS.get(self.reason, details)}")
        if code is grpc.StatusCode.UNAVAILABLE:
            return TapError(f"lost or never reached {self.endpoint.address}: {details}; {self._advice()}")
        return TapError(f"{code.name}: {details}")

    def _advice(self) -> str:
        if not self.endpoint.tls:
            return "is it a tap? if it serves TLS, write https:// and give its authority"
        if not self.endpoint.cert_file:
            return "is its certificate of this authority and name, and does it want one of yours?"
        return "are the certificates of the right authority, and is the server's of this name?"


def refusal_of(error: grpc.RpcError) -> Refusal | None:
    """Returns the Refusal among the details of a status, if there is one."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        # A google.rpc.Status. Its field 3, the details, is all that matters here, so this does
        # without the package that has the message.
        for field in UnknownFieldSet(Empty.FromString(value)):
            refusal = Refusal()
            if field.field_number == 3 and Any.FromString(field.data).Unpack(refusal):
                return refusal
    return None


def not_sent(ledger: Ledger) -> dict[str, int]:
    """Returns the items that passed and did not come although they may match, by reason."""
    items = {"skipped": ledger.skipped, **ledger.dropped}
    return {reason: number for reason, number in sorted(items.items()) if number}


def in_words(ledger: Ledger) -> str:
    """Returns the account in one line."""
    words = [f"{ledger.seen} seen", f"{ledger.matched} matched", f"{ledger.sent} sent"]
    words += [f"{number} not sent by {reason}" for reason, number in not_sent(ledger).items()]
    return ", ".join(words)


def _read(file: str) -> bytes | None:
    return Path(file).read_bytes() if file else None
