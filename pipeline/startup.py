"""What a process of ours does before anything else."""

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError("left out of this process: see pipeline/startup.py")


def leave_pandas_out() -> None:
    """Save 1.6 s: pyarrow imports pandas to see whether an array is one of pandas' own.

    Only for a process that runs one command and ends. It does without, as if pandas were absent.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas())
