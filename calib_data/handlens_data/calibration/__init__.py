"""Calibration: what an int8 model's ranges are measured on.

pool.py holds the images that may be drawn, pick.py draws, sets.py keeps a draw in a file, lint.py looks for mistakes.
"""

from handlens_data.calibration.pick import pick
from handlens_data.calibration.pool import Pool
from handlens_data.calibration.sets import CalibrationSet

__all__ = ["CalibrationSet", "Pool", "pick"]
