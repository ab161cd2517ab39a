"""papermill's engine `colab`: notebooks run on a Colab VM, their results come home while it lives.

The VM is made by Google's own `colab` command (google-colab-cli), which the user runs and which alone holds the
credentials: `colab new`. What it writes into ~/.config/colab-cli/sessions.json is read here, and when the token of an
hour nears its end, `colab sessions` is asked to renew it. RCGAN_COLAB_SESSION chooses among several.
"""

from papermill.engines import Engine


class ColabEngine(Engine):
    """`papermill --engine colab in.ipynb out.ipynb -p ...`; rcgan_nb must be installed on the VM, too."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        from rcgan_nb.runtimes import remote, vm

        remote.execute(nb_man, kernel_name, vm.from_environment, **options)
