"""PyTorch: `nn.LSTM`, autograd, fused Adam.

`shared` makes one forward pass of the generator, and of the discriminator on what it made, serve both updates (Shen et
al. 2021, arXiv:2103.00430): both gradients are taken from one graph, then both networks are updated. With a logit per
step the backward passes stay two.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.peers import worker


class Network(nn.Module):
    """An LSTM over a series and a one-hot label, a dense layer at every step."""

    def __init__(self, inputs, outputs, activation):
        super().__init__()
        self.lstm = nn.LSTM(inputs + worker.CLASSES, worker.UNITS, batch_first=True)
        self.dense = nn.Linear(worker.UNITS, outputs)
        self.activation = activation
        # nn.LSTM has a second bias, which Keras's has not: zero, and not trained.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, series, label):
        label = label[:, None].expand(-1, series.shape[1], -1)
        return self.activation(self.dense(self.lstm(torch.cat([series, label], -1))[0]))

    def trained(self):
        return [p for p in self.parameters() if p.requires_grad]

    def set_weights(self, kernel, recurrent, bias, dense, dense_bias):
        """From Keras's layout; the order of the gates is the same."""
        pairs = (kernel.T, recurrent.T, bias, dense.T, dense_bias)
        with torch.no_grad():
            for parameter, value in zip(self.trained(), pairs, strict=True):
                parameter.copy_(torch.from_numpy(value.copy()))


class GAN:
    def __init__(self):
        self.generator = Network(worker.NOISE, worker.FEATURES, torch.tanh)
        self.discriminator = Network(worker.FEATURES, 1, nn.Identity())
        self.g_weights, self.d_weights = self.generator.trained(), self.discriminator.trained()
        self.g_adam, self.d_adam = (
            torch.optim.Adam(w, worker.RATE, fused=True) for w in (self.g_weights, self.d_weights)
        )

    def step(self, x, y, number):
        x, label = torch.from_numpy(x), F.one_hot(torch.from_numpy(y).long(), worker.CLASSES).float()
        with torch.no_grad():
            fake = self._fake(label)
        loss = self._d_loss(self.discriminator(x, label), self.discriminator(fake, label))
        self._update(self.d_adam, self.d_weights, torch.autograd.grad(loss, self.d_weights))
        loss = F.softplus(-self.discriminator(self._fake(label), label)).mean()
        self._update(self.g_adam, self.g_weights, torch.autograd.grad(loss, self.g_weights))

    def shared_step(self, x, y, number):
        x, label = torch.from_numpy(x), F.one_hot(torch.from_numpy(y).long(), worker.CLASSES).float()
        fake_logits = self.discriminator(self._fake(label), label)
        d_loss = self._d_loss(self.discriminator(x, label), fake_logits)
        d_gradients = torch.autograd.grad(d_loss, self.d_weights, retain_graph=True)
        g_gradients = torch.autograd.grad(F.softplus(-fake_logits).mean(), self.g_weights)
        self._update(self.d_adam, self.d_weights, d_gradients)
        self._update(self.g_adam, self.g_weights, g_gradients)

    def _fake(self, label):
        return self.generator(torch.randn(worker.BATCH, worker.SEQ_LEN, worker.NOISE), label)

    def _d_loss(self, real_logits, fake_logits):
        return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()

    def _update(self, adam, weights, gradients):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        adam.step()

    def probe(self):
        for network, values in zip((self.generator, self.discriminator), worker.weights(), strict=True):
            network.set_weights(*values)
        noise, label = map(torch.from_numpy, worker.probe_inputs())
        label = F.one_hot(label.long(), worker.CLASSES).float()
        with torch.no_grad():
            return self.discriminator(self.generator(noise, label), label)


def build(threads, shared=False):
    torch.set_num_threads(threads)
    gan = GAN()
    parameters = [sum(p.numel() for p in weights) for weights in (gan.g_weights, gan.d_weights)]
    facts = {"parameters": parameters, "system": f"PyTorch {torch.__version__}, threads {threads}"}
    return facts, gan.shared_step if shared else gan.step, gan.probe


if __name__ == "__main__":
    worker.serve(build)
