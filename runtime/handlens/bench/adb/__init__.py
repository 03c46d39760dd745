"""An Android device behind adb as a place to measure on.

target.py measures; bridge.py speaks with adb; device.py is the device during a measurement, with a folder that goes
when the connection does; android.py reads what the device says of itself; benchmark_model.py what LiteRT's tool
prints; goldens.py whether it answers rightly.
"""
