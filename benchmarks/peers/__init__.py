"""One step of the same recurrent conditional GAN in several systems, each a process that `benchmarks.step` drives."""
