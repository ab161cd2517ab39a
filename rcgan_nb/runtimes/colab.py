"""papermill's engine `colab`, not built yet."""

from papermill.engines import Engine


class ColabEngine(Engine):
    """Refuses to run."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
        raise NotImplementedError("the engine colab is not built yet.")
