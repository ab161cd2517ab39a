"""papermill's engine `jupyter`, not built yet."""

from papermill.engines import Engine


class JupyterEngine(Engine):
    """Refuses to run."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
        raise NotImplementedError("the engine jupyter is not built yet.")
