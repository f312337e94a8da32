"""Make `.venv` hold exactly what requirements.lock names, and this checkout on top of it.

Run by `make`, or by hand: ``python3 tools/install.py``; with ``--docs`` it fills `.venv-docs`, which builds the
site, from a lock of its own. Uses uv where it is found and pip otherwise. A stamp named by the sha256 of the lock
and pyproject.toml says that it was done, so a second run installs nothing. Packages that are in `.venv` beyond the
lock are left alone. Where the Python that runs this is too old and uv is there, uv brings one that is not.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
TRIED = "3.11 to 3.14"  # newer ones are taken too
ROOT = Path(__file__).resolve().parent.parent


def stop(message):
    """End with one line that says what to do."""
    sys.exit("tools/install.py: " + message)


def run(*command):
    """Run one step and stop at its first failure, which has printed its own reason."""
    done = subprocess.run([str(part) for part in command], cwd=str(ROOT), check=False)
    if done.returncode:
        stop("this step failed (its message is above): " + " ".join(str(part) for part in command))


def version_of(python):
    """Version of an interpreter as (major, minor), or None where it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, check=False)
    except OSError:
        return None
    return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None


def works(*command):
    """Whether a command is there and ends well."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def digest(locks):
    """One name for everything that decides what is installed."""
    joined = hashlib.sha256()
    for path in [*locks, ROOT / "pyproject.toml"]:
        joined.update(hashlib.sha256(path.read_bytes()).digest())
    return joined.hexdigest()[:20]


def make_environment(folder, uv):
    """Create the virtual environment where it is not there yet."""
    if (folder / "pyvenv.cfg").is_file():
        return
    if uv:
        old = sys.version_info[:2] < OLDEST
        run(uv, "venv", "--quiet", "--python", ">={}.{}".format(*OLDEST) if old else sys.executable, folder)
        return
    if not works(sys.executable, "-c", "import ensurepip"):
        stop("this Python cannot create environments; on Debian: apt install python3-venv")
    run(sys.executable, "-m", "venv", folder)


def install(python, locks, uv, checkout=True):
    """Put the locked packages and, where it is wanted, this checkout into the environment, bytecode compiled."""
    wanted = [part for lock in locks for part in ("-r", lock.name)]
    print("Installing what the lock names: half a minute with uv, some minutes with pip", flush=True)
    if uv:
        run(
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--require-hashes",
            "--compile-bytecode",
            *wanted,
        )
        if checkout:
            run(
                uv,
                "pip",
                "install",
                "--quiet",
                "--python",
                python,
                "--no-deps",
                "--no-build-isolation",
                "-e",
                ".",
            )
        return
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", *wanted)
    if checkout:
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    library = subprocess.check_output([str(python), "-c", where], universal_newlines=True).strip()
    # a file that cannot be compiled (a template, an old test) must not stop the installation
    subprocess.run([str(python), "-m", "compileall", "-q", "-q", "-j", "0", library], check=False)


def main(arguments):
    """Install once per state of the lock."""
    uv = shutil.which("uv")
    uv = uv if uv and works(uv, "--version") else None
    if sys.version_info[:2] < OLDEST and not uv:
        stop(
            "Python {}.{} is running, 3.11 or newer is needed ({} are tried); "
            "name another with make PYTHON=/path/to/python3.12, or install uv, which brings one".format(
                *sys.version_info[:2], TRIED
            )
        )
    # the site's builder stands alone: it reads the checkout from where it is
    docs = "--docs" in arguments
    locks = [ROOT / ("requirements-docs.lock" if docs else "requirements.lock")]
    if "--spark" in arguments:
        locks.append(ROOT / "requirements-spark.lock")
    folder = ROOT / (".venv-docs" if docs else ".venv")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / (".erresearch-" + digest(locks))
    if stamp.exists() and version_of(python):
        return
    make_environment(folder, uv)
    found = version_of(python)
    if found is None or found < OLDEST:
        shown = "Python {}.{}".format(*found) if found else "a Python that does not run"
        stop(folder.name + " holds " + shown + ", 3.11 or newer is needed; remove it with: make clean-venv")
    install(python, locks, uv, checkout=not docs)
    stamp.touch()


if __name__ == "__main__":
    main(sys.argv[1:])
