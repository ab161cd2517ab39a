"""`rcgan colab link`: this machine as the runtime of a page of Colab."""

import signal

TEXT = """Colab can use this machine now. In a notebook of Colab, click the arrow beside Connect, then
"Connect to a local runtime", and paste this address:

    {address}

If the browser asks whether colab.research.google.com may reach devices or apps on this machine, allow it.

What this exposes: notebooks opened with it run here as you, and can read, change and delete your files. Open only those
whose authors you trust, and show nobody the address: whoever has it, and a way to this machine, is in.
Checked: pages of Colab alone may read, without the token nobody gets in, and only 127.0.0.1 listens.

Kernels begin in {folder}. Ctrl-C ends server and kernels, and makes the address worthless."""


def add(parser):
    verbs = parser.add_subparsers(required=True, metavar="WHAT")
    what = 'start a Jupyter server on this machine for Colab\'s "Connect to a local runtime"'
    link = verbs.add_parser("link", help=what, description=f"{what[0].upper()}{what[1:]}; it ends with Ctrl-C.")
    link.add_argument("--port", type=int, default=8888, help="port on 127.0.0.1 (8888)")
    link.set_defaults(run=run)


def run(given) -> int:
    from pathlib import Path

    from rcgan_nb.runtimes import link

    if not 0 < given.port < 65536:
        raise ValueError(f"a port is a number from 1 to 65535, but {given.port} came.")
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal must not leave the server behind
        signal.signal(number, signal.default_int_handler)
    print("Starting a Jupyter server ...", flush=True)
    try:
        with link.server(given.port) as (address, process):
            print(TEXT.format(address=address, folder=Path.cwd()), flush=True)
            code = process.wait()
    except KeyboardInterrupt:
        print("\nThe server has ended, its kernels with it.")
        return 0
    raise ValueError(f"the Jupyter server ended by itself, with exit code {code}; start it again.")
