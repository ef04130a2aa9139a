"""Which folders are packages; everything else is in pyproject.toml.

Here because pyproject.toml can either discover packages or rename one, and this project does both: the folder
``cli`` is installed as ``posegraph_cli``, so that no top-level package called ``cli`` is put into site-packages.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["posegraph", "posegraph.*"]), "posegraph_cli"],
    package_dir={"posegraph_cli": "cli"},
)
