"""Open JupyterLab on the notebooks with the workshop's profile: ``python tools/lab.py [JUPYTERLAB'S OPTIONS]``.

The profile lies in ``tools/lab_profile``: it opens the first notebook, asks the network for no news and shows
no tour. Settings and layouts are kept in ``build/lab``, so those of the user's own JupyterLab stay as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ROOT / "tools" / "lab_profile"
KEPT = ROOT / "build" / "lab"


def environment() -> dict[str, str]:
    """Return the variables that make JupyterLab read the profile before anything else."""
    places = [str(PROFILE), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {
        **os.environ,
        "JUPYTER_CONFIG_PATH": os.pathsep.join(places),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTERLAB_SETTINGS_DIR": str(KEPT / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(KEPT / "workspaces"),
    }


def main(options: list[str]) -> int:
    """Become JupyterLab where that is possible, so that whoever ends this process ends the server too."""
    command = [sys.executable, "-m", "jupyterlab", *options]
    if os.name == "posix":
        os.chdir(ROOT)  # so that links from notebooks to docs lead somewhere
        os.execve(command[0], command, environment())  # noqa: S606 - our own interpreter, no shell wanted
    try:
        return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
