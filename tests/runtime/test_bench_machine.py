"""What a machine says of itself: clocks, temperatures, other processes; from folders that stand for /sys and /proc."""

import os
from pathlib import Path

import pytest

from handlens.bench import machine, noise, sensors


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_board_tells_clock_and_temperature(tmp_path):
    write(
        tmp_path,
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "600000\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "48312\n",
            "sys/class/thermal/thermal_zone1/type": "battery\n",
            "sys/class/thermal/thermal_zone1/temp": "61000\n",
        },
    )
    assert sensors.read(tmp_path) == sensors.State(1050.0, 48.312)


def test_the_hottest_zone_counts_where_none_is_the_processor_s_and_nonsense_does_not(tmp_path):
    write(
        tmp_path,
        {
            "sys/class/thermal/thermal_zone0/type": "acpitz\n",
            "sys/class/thermal/thermal_zone0/temp": "-274000\n",
            "sys/class/thermal/thermal_zone1/type": "acpitz\n",
            "sys/class/thermal/thermal_zone1/temp": "39000\n",
        },
    )
    assert sensors.read(tmp_path) == sensors.State(None, 39.0)
    write(tmp_path, {"sys/class/hwmon/hwmon3/name": "k10temp\n", "sys/class/hwmon/hwmon3/temp1_input": "52125\n"})
    assert sensors.read(tmp_path).temperature_c == 52.125


def test_a_machine_that_tells_nothing_is_no_error(tmp_path):
    assert sensors.read(tmp_path) == sensors.State(None, None)
    assert sensors.pair(None, 3.0) is None and sensors.pair(1.0, 3.0) == (1.0, 3.0)


def stat(name: str, user: int, system: int) -> str:
    return f"7 ({name}) R 1 7 7 0 -1 4194304 100 0 0 0 {user} {system} 0 0 20 0 1 0 100 1000 100\n"


def test_what_else_ran_is_named_by_its_share_of_a_core(tmp_path, monkeypatch):
    write(tmp_path, {"stat": "cpu  1000 0 0 9000 0 0 0 0 0 0\n", f"{os.getpid()}/stat": stat("me", 10, 0)})
    write(tmp_path, {"41/stat": stat("a) (b", 5, 5), "42/stat": stat("a) (b", 0, 0), "43/stat": stat("idle", 7, 7)})
    clock = iter((100.0, 110.0))
    monkeypatch.setattr(noise.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(noise.os, "sysconf", lambda name: 100)
    watch = noise.Watch(tmp_path)
    # In ten seconds: this process 5 of them, two of one name 3 and 1, another machine 2.
    write(tmp_path, {"stat": "cpu  1900 0 0 9000 0 0 0 200 0 0\n", f"{os.getpid()}/stat": stat("me", 510, 0)})
    write(tmp_path, {"41/stat": stat("a) (b", 205, 105), "42/stat": stat("a) (b", 0, 100)})
    found = watch.others()
    assert found is not None
    assert (found.cores, found.stolen) == (pytest.approx(0.4), pytest.approx(0.2))
    assert found.names == (("a) (b", pytest.approx(0.4)),)
    assert str(found) == "others used 0.40 cores (a) (b 0.40), the hypervisor kept back 0.20"


def test_where_there_is_no_proc_nothing_is_claimed(tmp_path):
    assert noise.Watch(tmp_path / "none").others() is None


def test_a_board_is_named_as_a_board_and_a_pc_by_its_processor(tmp_path):
    write(tmp_path, {"cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 7\nflags\t\t: a b\n"})
    assert machine._cpu(tmp_path) == "AMD Ryzen 7"
    write(tmp_path, {"device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    assert machine._cpu(tmp_path) == "Raspberry Pi 4 Model B Rev 1.4"
    assert machine._cpu(tmp_path / "none")
