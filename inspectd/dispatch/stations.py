"""Which bundle each station is judged by, and how a new one becomes active. Pure but for `current`, which it replaces.

Workers load a new bundle beside the old; when every live worker holds it, the station flips, then `current` is replaced.
What a person switches stands in the journal before it is done: a kill may leave a line of what was not done, and never a
switch without a line.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from inspectd.dispatch.ledger import Assigned, Policy
from inspectd.dispatch.pool import Pool
from inspectd.errors import BadBundle, StateError
from inspectd.station.reread import Reread
from inspectd.station.schema import Config
from inspectd.station.state import Current, StateDir
from inspectd.wire.enums import Reason
from inspectd.wire.messages import BundleRef, Order, StationBeat

Note = Callable[[Order, str], str]  # puts a switch into the journal; why it must not be made, or empty


@dataclass
class _Pending:
    order: Order
    currents: dict[str, Current]  # by product


@dataclass
class _Station:
    product: str
    currents: dict[str, Current] = field(default_factory=dict)
    fault: str = ""
    pending: _Pending | None = None
    paused: bool = False

    @property
    def reloading(self) -> bool:
        """An edited file is about to be taken: nothing is judged meanwhile."""
        return self.pending is not None and self.pending.order.what == "reload"


def policies(config: Config) -> dict[str, Policy]:
    """What the ledger must know of each station."""
    return {
        name: Policy(station.deadline_ms, station.delivery_ms, station.plc.name if station.plc else "")
        for name, station in config.stations.items()
    }


class Stations:
    """Active product and bundle of every station, and what the workers must hold for them."""

    def __init__(self, config: Config, state: StateDir, note: Note = lambda _order, _text: "") -> None:
        self._config, self._state, self._note = config, state, note
        self._stations: dict[str, _Station] = {}
        self._attempts: Counter[str] = Counter()  # activations asked for, by fingerprint
        self.version = 0  # of the list that workers must hold
        self.by_plc = frozenset(name for name, station in config.stations.items() if station.trigger == "plc")
        self._no_camera = set(config.stations)
        for name, station in config.stations.items():
            self._stations[name] = self._read(name, station.products)

    def _read(self, name: str, products: Iterable[str]) -> _Station:
        names = list(products)
        selected = self._state.read_product(name)
        station = _Station(selected if selected in names else names[0], paused=self._state.is_paused(name))
        for product in names:
            try:
                current = self._state.read_current(name, product)
            except BadBundle as error:
                station.fault = str(error)
                continue
            if current:
                station.currents[product] = current
        return station

    def camera(self, station: str, there: bool) -> None:
        """Note that a station's camera process has come, or gone."""
        (self._no_camera.discard if there else self._no_camera.add)(station)

    def assigned(self, station: str) -> Assigned:
        """Return the bundle by which a trigger of this station is judged from now on."""
        known = self._stations.get(station)
        current = known.currents.get(known.product) if known else None
        if known is None or current is None:
            return Assigned(known.product if known else "default")
        return Assigned(known.product, current.fingerprint, current.threshold)

    def hold(self) -> list[BundleRef]:
        """List every bundle that a worker must hold: active ones of all products, and those being activated."""
        refs = []
        for name, station in self._stations.items():
            wanted = list(station.currents.items())
            if station.pending:
                wanted += station.pending.currents.items()
            for product, current in wanted:
                path = self._state.bundle(name, product, current.bundle)
                attempt = self._attempts[current.fingerprint]
                refs.append(BundleRef(name, product, current.fingerprint, str(path), current.threshold, attempt))
        return refs

    def begin(self, order: Order) -> str:
        """Start an activation or a reload; returns why it cannot start, empty if it has."""
        return self.reload(order) if order.what == "reload" else self.activate(order)

    def activate(self, order: Order) -> str:
        """Start an activation; returns why it cannot start, empty if it has. `finished` tells the end."""
        args = order.args
        station = self._stations.get(args["station"])
        product = args.get("product") or (station.product if station else "")
        return self._begin(order, {product: Current(int(args["bundle"]), args["fingerprint"], float(args["threshold"]))})

    def reload(self, order: Order) -> str:
        """Start to take an edited station file, with the bundles that were made for it; until then nothing is judged."""
        return self._begin(order, msgspec.json.decode(order.args["bundles"], type=dict[str, Current]))

    def _begin(self, order: Order, currents: dict[str, Current]) -> str:
        name = order.args["station"]
        station = self._stations.get(name)
        if station is None:
            return f"no station {name}; there are: {', '.join(self._stations)}"
        if station.pending:
            return f"another activation of {name} is under way"
        self._attempts.update(current.fingerprint for current in currents.values())
        station.pending = _Pending(order, currents)
        self.version += 1
        return ""

    def finished(self, pool: Pool) -> list[tuple[Order, bool, str]]:
        """Flip every station whose new bundle all live workers hold; give up where one refuses it."""
        ended = []
        for name, station in self._stations.items():
            pending = station.pending
            if pending is None or (pending.currents and not pool.workers):
                continue
            prints = [current.fingerprint for current in pending.currents.values()]
            refusals = [refusal for fingerprint in prints for refusal in self._refusals(fingerprint, pool)]
            if refusals:
                ended.append((pending.order, False, "; ".join(refusals)))
            elif all(pool.holders(fingerprint) == len(pool.workers) for fingerprint in prints):
                ended.append((pending.order, *self._flip(name, station, pending)))
            else:
                continue
            station.pending = None
            self.version += 1
        return ended

    def _refusals(self, fingerprint: str, pool: Pool) -> list[str]:
        """Who refused the bundle since it was asked for last; an earlier refusal may be of what was mended meanwhile."""
        said = pool.refusals(fingerprint)
        return [f"{name}: {no.why}" for name, no in said if no.attempt == self._attempts[fingerprint]]

    def _flip(self, name: str, station: _Station, pending: _Pending) -> tuple[bool, str]:
        """Judge by the new bundle from now on, also after a restart: what cannot be kept is not begun."""
        args = pending.order.args
        told = [f"bundle {one.bundle} of {of} ({one.fingerprint}) is active" for of, one in pending.currents.items()]
        text = f"{name}: {', '.join([*told, *(['its file is read anew'] if 'file' in args else [])])}"
        if refused := self._note(pending.order, text):
            return False, f"{name}: {refused}"
        for product, wanted in pending.currents.items():
            current = wanted.following(station.currents.get(product), back="rollback" in args)
            try:
                self._state.write_current(name, product, current)
            except StateError as error:
                return False, f"{name}: bundle {current.bundle} is not active: {error}"
            station.currents[product] = current
            station.fault = ""
        if "file" in args:
            self._config.stations[name] = Reread.parse(args["file"]).onto(self._config.stations[name])
            self.camera(name, there=False)  # its process starts anew with the file
        return True, text

    def refuses(self, name: str, pool: Pool) -> Reason:
        """Why a trigger of this station cannot be judged; NONE if it can."""
        station = self._stations[name]
        if station.paused or station.reloading:
            return Reason.MAINTENANCE
        return Reason.NO_BUNDLE if self.fault(name, pool) else Reason.NONE

    def fault(self, name: str, pool: Pool) -> str:
        """Why a station cannot judge at all; empty if it can, or will once a worker is up."""
        station = self._stations[name]
        current = station.currents.get(station.product)
        if current is None:
            return station.fault or f"no bundle for product {station.product}: run `inspectd calibrate {name}`"
        return self._refused(current, pool)

    @staticmethod
    def _refused(current: Current, pool: Pool) -> str:
        """Why no worker can judge by a bundle; empty if one can, or may yet."""
        refusals = pool.refusals(current.fingerprint)
        if refusals and len(refusals) == len(pool.workers):
            return f"bundle {current.bundle} was refused: {refusals[0][1].why}"
        return ""

    def beat(self, pool: Pool, warnings: Callable[[str], Iterable[str]] = lambda _: ()) -> dict[str, StationBeat]:
        """Say of every station whether it is ready, by what it judges, and what it works in spite of.

        `warnings`: what else is known of a station; nothing matters beside a fault.
        """
        beats = {}
        for name, station in self._stations.items():
            current = station.currents.get(station.product, Current(0, "", math.nan))
            ready = bool(current.fingerprint) and pool.holders(current.fingerprint) > 0 and not self._blind(name)
            fault = self.fault(name, pool)
            refused = [f"{who} refused bundle {current.bundle}: {no.why}" for who, no in pool.refusals(current.fingerprint)]
            paused = ["inspection is paused: all parts are rejected"] if station.paused else []
            found = [] if fault else [*paused, *refused, *warnings(name)]
            beats[name] = StationBeat(
                ready=ready, fingerprint=current.fingerprint, product=station.product, fault=fault,
                degraded="; ".join(filter(None, found)),
            )  # fmt: skip
        return beats

    def _blind(self, name: str) -> bool:
        """Whether a PLC must wait: its trigger would get no picture, and a part would be rejected."""
        return name in self.by_plc and (name in self._no_camera or self._stations[name].reloading)

    def change(self, order: Order, pool: Pool) -> tuple[bool, str]:
        """Switch a station's product, or its mode; returns whether it is done, and what happened."""
        return self._product(order, pool) if order.what == "product" else self._mode(order)

    def _mode(self, order: Order) -> tuple[bool, str]:
        """Pause a station or let it go on, also after a restart."""
        name, paused = order.args["station"], order.args["mode"] == "pause"
        text = f"{name}: {'paused: all parts are rejected' if paused else 'parts are judged'}"
        self._note(order, text)
        try:
            self._state.write_paused(name, paused)
        except StateError as error:
            return False, f"{name}: stays as it is: {error}"
        self._stations[name].paused = paused
        return True, text

    def _product(self, order: Order, pool: Pool) -> tuple[bool, str]:
        """Switch a station's product, also after a restart."""
        name, product = order.args["station"], order.args["product"]
        station = self._stations.get(name)
        if station is None or product not in station.currents:
            return False, f"{name}: no active bundle for product {product!r}"
        if refused := self._refused(station.currents[product], pool):
            return False, f"{name}: the product stays {station.product}: {refused}"
        text = f"{name}: product {product} from the next part on"
        self._note(order, text)
        try:
            self._state.write_product(name, product)
        except StateError as error:
            return False, f"{name}: the product stays {station.product}: {error}"
        station.product = product
        return True, text
