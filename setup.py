"""What pyproject.toml cannot say: the folder `datasets/` is installed inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["forecast", "forecast.*"]), "forecast.datasets"],
    package_dir={"forecast.datasets": "datasets"},
)
