"""Where notebooks run: a Jupyter server anywhere, Colab, and many of them in a row."""
