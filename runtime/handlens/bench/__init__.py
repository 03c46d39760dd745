"""How long an artifact takes where it runs: this machine, one behind ssh, an Android device, a browser.

`handlens bench` is the command, `Bench.from_json` reads what it wrote. A target measures; `figures` says what comes
back.
"""

from handlens.bench.figures import Bench, Figure, Moment, Order, Times
from handlens.bench.local import measure
from handlens.bench.machine import Host, host
from handlens.bench.target import Options, Target, open_target

__all__ = ["Bench", "Figure", "Host", "Moment", "Options", "Order", "Target", "Times", "host", "measure", "open_target"]
