"""Where a generator writes its values: tests/golden/values/NAME.safetensors."""
from pathlib import Path


def values(name):
    return str(Path(__file__).parent / "values" / f"{name}.safetensors")
