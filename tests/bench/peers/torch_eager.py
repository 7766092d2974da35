"""PyTorch, eager; Adam fused into one call."""

import job

import torch

torch.set_num_threads(job.THREADS)
torch.manual_seed(1)

layers = []
for (kernel, bias), activation in zip(job.weights(), job.ACTIVATIONS):
    dense = torch.nn.Linear(*kernel.shape)
    with torch.no_grad():
        dense.weight.copy_(torch.from_numpy(kernel.T))
        dense.bias.copy_(torch.from_numpy(bias))
    layers += [dense, {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}.get(activation)]
# The last activation is part of the loss.
layers = layers[:-1]
model = torch.nn.Sequential(
    *[layer if isinstance(layer, torch.nn.Module) else layer() for layer in layers]
)

if job.SGD:
    optimizer = torch.optim.SGD(model.parameters(), job.SGD["learning_rate"])
else:
    optimizer = torch.optim.Adam(
        model.parameters(),
        job.ADAM["learning_rate"],
        (job.ADAM["beta_1"], job.ADAM["beta_2"]),
        job.ADAM["epsilon"],
        fused=True,
    )

x = torch.from_numpy(job.X)
if job.BINARY:
    loss_of = torch.nn.BCEWithLogitsLoss()
    labels = torch.from_numpy(job.LABELS)[:, None]
else:
    loss_of = torch.nn.CrossEntropyLoss()
    labels = torch.from_numpy(job.LABELS.astype("int64"))


def epoch():
    order = torch.randperm(len(x))
    total = torch.zeros(())
    for batch_x, batch_labels in zip(x[order].split(job.BATCH), labels[order].split(job.BATCH)):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(batch_x), batch_labels)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return total.item() / job.STEPS


job.serve(torch.__version__, epoch)
