import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from opentelemetry.proto.logs.v1 import logs_pb2 as _logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2 as _metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2 as _trace_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TapRequest(_message.Message):
    __slots__ = ("point", "not_point", "signal", "service", "not_service", "name", "not_name", "min_duration", "error", "severity", "trace_id", "not_trace_id", "otel_status_code", "not_otel_status_code", "attributes", "sample", "where", "rate", "count", "duration", "since", "format", "envelope", "stats", "max_message")
    POINT_FIELD_NUMBER: _ClassVar[int]
    NOT_POINT_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    NOT_SERVICE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOT_NAME_FIELD_NUMBER: _ClassVar[int]
    MIN_DURATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    NOT_TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    OTEL_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    NOT_OTEL_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    point: _containers.RepeatedScalarFieldContainer[str]
    not_point: _containers.RepeatedScalarFieldContainer[str]
    signal: _containers.RepeatedScalarFieldContainer[str]
    service: _containers.RepeatedScalarFieldContainer[str]
    not_service: _containers.RepeatedScalarFieldContainer[str]
    name: _containers.RepeatedScalarFieldContainer[str]
    not_name: _containers.RepeatedScalarFieldContainer[str]
    min_duration: _duration_pb2.Duration
    error: bool
    severity: str
    trace_id: _containers.RepeatedScalarFieldContainer[str]
    not_trace_id: _containers.RepeatedScalarFieldContainer[str]
    otel_status_code: _containers.RepeatedScalarFieldContainer[str]
    not_otel_status_code: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeCriterion]
    sample: float
    where: _containers.RepeatedScalarFieldContainer[str]
    rate: float
    count: int
    duration: _duration_pb2.Duration
    since: _duration_pb2.Duration
    format: str
    envelope: bool
    stats: _duration_pb2.Duration
    max_message: int
    def __init__(self, point: _Optional[_Iterable[str]] = ..., not_point: _Optional[_Iterable[str]] = ..., signal: _Optional[_Iterable[str]] = ..., service: _Optional[_Iterable[str]] = ..., not_service: _Optional[_Iterable[str]] = ..., name: _Optional[_Iterable[str]] = ..., not_name: _Optional[_Iterable[str]] = ..., min_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., error: bool = ..., severity: _Optional[str] = ..., trace_id: _Optional[_Iterable[str]] = ..., not_trace_id: _Optional[_Iterable[str]] = ..., otel_status_code: _Optional[_Iterable[str]] = ..., not_otel_status_code: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Iterable[_Union[AttributeCriterion, _Mapping]]] = ..., sample: _Optional[float] = ..., where: _Optional[_Iterable[str]] = ..., rate: _Optional[float] = ..., count: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., since: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., format: _Optional[str] = ..., envelope: bool = ..., stats: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_message: _Optional[int] = ...) -> None: ...

class AttributeCriterion(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NOT_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., **kwargs) -> None: ...

class TapResponse(_message.Message):
    __slots__ = ("envelope", "traces", "metrics", "logs", "profiles", "stats", "end")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    traces: _trace_pb2.TracesData
    metrics: _metrics_pb2.MetricsData
    logs: _logs_pb2.LogsData
    profiles: bytes
    stats: Stats
    end: End
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ..., traces: _Optional[_Union[_trace_pb2.TracesData, _Mapping]] = ..., metrics: _Optional[_Union[_metrics_pb2.MetricsData, _Mapping]] = ..., logs: _Optional[_Union[_logs_pb2.LogsData, _Mapping]] = ..., profiles: _Optional[bytes] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("point", "time_unix_nano", "items")
    POINT_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_NANO_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    point: str
    time_unix_nano: int
    items: int
    def __init__(self, point: _Optional[str] = ..., time_unix_nano: _Optional[int] = ..., items: _Optional[int] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ("ledger", "points", "limits", "hints")
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    ledger: Ledger
    points: _containers.RepeatedScalarFieldContainer[str]
    limits: Limits
    hints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ledger: _Optional[_Union[Ledger, _Mapping]] = ..., points: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., hints: _Optional[_Iterable[str]] = ...) -> None: ...

class Ledger(_message.Message):
    __slots__ = ("since", "now", "seen", "skipped", "unmatched", "matched", "sent", "pending", "dropped", "eval_errors", "bytes")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SINCE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    EVAL_ERRORS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    now: _timestamp_pb2.Timestamp
    seen: int
    skipped: int
    unmatched: int
    matched: int
    sent: int
    pending: int
    dropped: _containers.ScalarMap[str, int]
    eval_errors: int
    bytes: int
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seen: _Optional[int] = ..., skipped: _Optional[int] = ..., unmatched: _Optional[int] = ..., matched: _Optional[int] = ..., sent: _Optional[int] = ..., pending: _Optional[int] = ..., dropped: _Optional[_Mapping[str, int]] = ..., eval_errors: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("reason", "ledger")
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    reason: str
    ledger: Ledger
    def __init__(self, reason: _Optional[str] = ..., ledger: _Optional[_Union[Ledger, _Mapping]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("limit", "items_per_second", "mib_per_second", "queue_mib", "max_duration", "max_overhead")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MIB_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MIB_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_OVERHEAD_FIELD_NUMBER: _ClassVar[int]
    limit: int
    items_per_second: float
    mib_per_second: float
    queue_mib: int
    max_duration: _duration_pb2.Duration
    max_overhead: float
    def __init__(self, limit: _Optional[int] = ..., items_per_second: _Optional[float] = ..., mib_per_second: _Optional[float] = ..., queue_mib: _Optional[int] = ..., max_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_overhead: _Optional[float] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("error", "parameter", "hint", "taps")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    TAPS_FIELD_NUMBER: _ClassVar[int]
    error: str
    parameter: str
    hint: str
    taps: _containers.RepeatedCompositeFieldContainer[Holder]
    def __init__(self, error: _Optional[str] = ..., parameter: _Optional[str] = ..., hint: _Optional[str] = ..., taps: _Optional[_Iterable[_Union[Holder, _Mapping]]] = ...) -> None: ...

class Holder(_message.Message):
    __slots__ = ("remote", "since")
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    remote: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, remote: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPointsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPointsResponse(_message.Message):
    __slots__ = ("version", "points", "taps", "limits")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    TAPS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    version: str
    points: _containers.RepeatedCompositeFieldContainer[Point]
    taps: _containers.RepeatedCompositeFieldContainer[OpenTap]
    limits: Limits
    def __init__(self, version: _Optional[str] = ..., points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., taps: _Optional[_Iterable[_Union[OpenTap, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("point", "signals", "rates")
    class RatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    POINT_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    point: str
    signals: _containers.RepeatedScalarFieldContainer[str]
    rates: _containers.ScalarMap[str, float]
    def __init__(self, point: _Optional[str] = ..., signals: _Optional[_Iterable[str]] = ..., rates: _Optional[_Mapping[str, float]] = ...) -> None: ...

class OpenTap(_message.Message):
    __slots__ = ("id", "remote", "subject", "user_agent", "transport", "selection", "ledger")
    ID_FIELD_NUMBER: _ClassVar[int]
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    id: int
    remote: str
    subject: str
    user_agent: str
    transport: str
    selection: str
    ledger: Ledger
    def __init__(self, id: _Optional[int] = ..., remote: _Optional[str] = ..., subject: _Optional[str] = ..., user_agent: _Optional[str] = ..., transport: _Optional[str] = ..., selection: _Optional[str] = ..., ledger: _Optional[_Union[Ledger, _Mapping]] = ...) -> None: ...
