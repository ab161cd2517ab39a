"""papermill's engine `jupyter`: notebooks run on a Jupyter server elsewhere, their results come home.

The server's address is read from RCGAN_JUPYTER_URL, its token from RCGAN_JUPYTER_TOKEN or the keyring. papermill loads
this module as it starts: it is papermill's to import, holds the engine alone and imports the rest as a notebook runs.
"""

from papermill.engines import Engine


class JupyterEngine(Engine):
    """`papermill --engine jupyter in.ipynb out.ipynb -p ...`; rcgan_nb must be installed on the server, too."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        from rcgan_nb.runtimes import remote, server

        remote.execute(nb_man, kernel_name, server.from_environment, **options)
