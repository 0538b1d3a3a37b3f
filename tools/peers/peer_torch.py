"""PyTorch with torch.compile of network and loss (backward is compiled with it), batches handed over without a copy."""
import os

from protocol import *

os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
import torch
from torch import nn

run = Run("torch", "compile")
torch.set_num_threads(run.threads)
torch.set_num_interop_threads(1)
net = run.network


def network():
    activation = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[net.activation]
    weights, modules = [torch.from_numpy(w) for w in net.weights()], []
    if net.convolutions:
        modules.append(nn.Unflatten(1, (1, 28, 28)))
    for i in range(1, net.convolutions + 1):
        w = weights.pop(0).permute(3, 2, 0, 1).contiguous()
        layer = nn.Conv2d(w.shape[1], w.shape[0], 3, net.stride(i), 1, bias=False)
        layer.weight = nn.Parameter(w)
        modules += [layer, nn.BatchNorm2d(w.shape[0], EPSILON, 1 - DECAY), activation()]
    if net.convolutions:
        modules.append(nn.Flatten())
    for i, w in enumerate(weights):
        last = i == len(weights) - 1
        layer = nn.Linear(*w.shape, bias=last or not net.batch_norm)
        layer.weight = nn.Parameter(w.t().contiguous())
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        modules.append(layer)
        if not last:
            modules += [nn.BatchNorm1d(w.shape[1], EPSILON, 1 - DECAY)] if net.batch_norm else []
            modules.append(activation())
    return nn.Sequential(*modules)


def main():
    if run.scalars:
        one = torch.ones(())
        constants = [torch.tensor(float(i)) for i in range(run.additions)]

        def additions():
            if run.wide:
                return torch.stack([one + c for c in constants]).sum()
            x = one
            for _ in range(run.additions):
                x = x + one
            return x
        run.serve(additions)
    model = network()
    if run.inference:
        model.eval()
        compiled = torch.compile(model)

        def infer():
            with torch.inference_mode():
                return compiled(torch.from_numpy(run.x[run.batch()])).numpy()
        run.serve(infer)
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam,
                 "momentum": lambda p, rate: torch.optim.SGD(p, rate, momentum=0.9)}[net.optimizer](
                     model.parameters(), net.learning_rate)
    loss = torch.compile(lambda x, y: nn.functional.cross_entropy(model(x), y))

    def step():
        b = run.batch()
        optimizer.zero_grad(set_to_none=True)
        loss(torch.from_numpy(run.x[b]), torch.from_numpy(run.y[b])).backward()
        optimizer.step()

    def accuracy():
        model.eval()
        with torch.no_grad():
            right = model(torch.from_numpy(run.test_x)).argmax(1) == torch.from_numpy(run.test_y)
        model.train()
        return right.float().mean()
    run.serve(step, accuracy)


main()
