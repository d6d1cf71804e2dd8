"""How the line is, from what its processes say (pure: the worst wins), and the same for Prometheus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from inspectd.errors import DaemonError
from inspectd.supervisor.life import Life, Phase, S
from inspectd.supervisor.status import Overall, Status
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Beat

BEAT_FRESH_NS = 1 * S  # it comes every 100 ms; plcd, which must be quicker, allows 300 ms
_SEVERITY = {HealthState.OK: 0, HealthState.DEGRADED: 1, HealthState.FAULT: 2}
_VERDICTS = ("pass", "fail", "undecided")


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    state: HealthState
    reason: str


@dataclass
class Pulse:
    """dispatch's beat, as last heard. Its age is the beat's own, so that a late reader does not make it young."""

    beat: Beat | None = None

    def fresh(self, now: int) -> bool:
        """The work loop of dispatch ran within the last second."""
        return self.beat is not None and now - self.beat.t_ns < BEAT_FRESH_NS


def overall(lives: Sequence[Life], pulse: Pulse, now: int, stopping: str = "") -> Overall:
    """Put together what all processes say. While the line stops (`stopping` says how far it is), some may be missing."""
    findings = [finding for life in lives for finding in _of(life, now)]
    if stopping:
        findings.append(Finding(HealthState.DEGRADED, f"stopping: {stopping}"))
    else:
        findings += _of_workers(lives)
        if not pulse.fresh(now):
            findings.append(Finding(HealthState.FAULT, f"dispatchd: no beat for {BEAT_FRESH_NS / S:g} s"))
    worst = max((finding.state for finding in findings), key=_SEVERITY.__getitem__, default=HealthState.OK)
    return Overall(worst, [finding.reason for finding in findings])


def ready(lives: Sequence[Life], pulse: Pulse, now: int) -> bool:
    """Every process has reported, and dispatch beats."""
    return all(life.ready for life in lives) and pulse.fresh(now)


def _of(life: Life, now: int) -> Iterator[Finding]:
    rule, deaths = life.row.kind.restart, life.deaths(now)
    if deaths >= rule.fault_deaths:
        yield Finding(HealthState.FAULT, f"{life.name}: died {deaths} times in {rule.fault_window_s:g} s, {life.last_end}")
    if life.phase is Phase.BACK_OFF:
        # one worker of several may be missed; whether none is left is asked below
        state = HealthState.DEGRADED if life.row.kind.one_per == "worker" else HealthState.FAULT
        yield Finding(state, f"{life.name}: in back-off after {life.last_end}")
    elif life.phase in (Phase.WAITING, Phase.STARTING):
        yield Finding(HealthState.DEGRADED, f"{life.name}: starting")
    elif life.ready and life.health and life.health.state is not HealthState.OK:
        for reason in life.health.reasons or ["gives no reason"]:
            yield Finding(life.health.state, f"{life.name}: {reason}")


def _of_workers(lives: Sequence[Life]) -> Iterator[Finding]:
    workers = [life for life in lives if life.row.kind.one_per == "worker"]
    if workers and not any(life.health and life.health.state is not HealthState.FAULT for life in workers):
        yield Finding(HealthState.FAULT, "no worker is ready")


class Metrics(Collector):
    """The last status, as Prometheus reads it; the supervisor's loop replaces `status`, the server's thread reads it."""

    def __init__(self) -> None:
        self.status: Status | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; none before the first status."""
        status = self.status
        if status is None:
            return
        yield GaugeMetricFamily("inspectd_health", "0 OK, 1 DEGRADED, 2 FAULT", value=_SEVERITY[status.health.state])
        yield from _of_processes(status)
        yield from _of_stations(status)
        yield from _of_times(status)

    def serve(self, address: str) -> Any:
        """Serve host:port from a thread; returns what stops it. DaemonError if the address cannot be had."""
        host, port = address.rsplit(":", 1)
        registry = CollectorRegistry()
        registry.register(self)
        try:
            server, _ = start_http_server(int(port), addr=host, registry=registry)
        except (OSError, OverflowError) as error:
            raise DaemonError(f"line.yaml: metrics: cannot listen on {address}: {error}") from error
        return server


def _of_processes(status: Status) -> Iterator[Metric]:
    up = GaugeMetricFamily("inspectd_process_up", "1: it runs and reports", labels=["process"])
    restarts = CounterMetricFamily("inspectd_process_restarts", "Starts after the first", labels=["process"])
    for process in status.processes:
        up.add_metric([process.name], process.state == Phase.UP)
        restarts.add_metric([process.name], process.restarts)
    messages = CounterMetricFamily(
        "inspectd_channel_messages", "Messages of a channel by what became of them", labels=["channel", "process", "what"]
    )
    for channel, processes in status.channels.items():
        for name, counts in processes.items():
            for what, count in counts.items():
                messages.add_metric([channel, name, what], count)
    yield from (up, restarts, messages)


def _of_stations(status: Status) -> Iterator[Metric]:
    triggers = CounterMetricFamily("inspectd_triggers", "Triggers opened in the ledger", labels=["station"])
    verdicts = CounterMetricFamily("inspectd_verdicts", "Terminal verdicts", labels=["station", "verdict"])
    outcomes = CounterMetricFamily("inspectd_line_outcomes", "What the line saw", labels=["station", "outcome"])
    for station, counts in status.ledger.items():
        triggers.add_metric([station], counts.get("triggers", 0))
        for verdict in _VERDICTS:
            verdicts.add_metric([station, verdict], counts.get(verdict, 0))
    for station, counts in status.outcomes.items():
        for outcome, count in counts.items():
            outcomes.add_metric([station, outcome], count)
    yield from (triggers, verdicts, outcomes)


def _of_times(status: Status) -> Iterator[Metric]:
    """From the trigger until the verdict stood, and until the line had it or a fail-safe in its place."""
    for step in ("verdict", "outcome"):
        times = HistogramMetricFamily(f"inspectd_{step}_ms", f"ms from the trigger to the {step}", labels=["station"])
        for station, steps in status.latency.items():
            if step in steps:
                buckets = [(bound, count) for bound, count in steps[step].items() if bound != "sum"]
                times.add_metric([station], buckets, steps[step]["sum"])
        yield times
