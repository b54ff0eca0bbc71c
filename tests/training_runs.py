"""Small training runs that tests start in processes of their own, to kill them or to let them work together."""

import os

import numpy as np
import torch
from lightning_fabric import Fabric

from hcg_lib.diffusion import UniformProcess, power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import MessagePassing
from hcg_lib.training import Config, train

GRAMMAR = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
PROCESS = UniformProcess(power_signal(50), v=4)
DATA, VALIDATION = GRAMMAR.sample(40, seed=1), GRAMMAR.sample(30, seed=2)


def network(seed=0):
    return MessagePassing(v=4, s=2, L=2, width=8, hidden=16, seed=seed)


def run(path=None, fabric=None, evaluate=None, **config):
    """One run of the example, in one thread: its result."""
    torch.set_num_threads(1)
    config = Config(**{"steps": 60, "batch": 16, "warmup": 5, "ema": 0.9, "checkpoint_every": 1, **config})
    return train(
        network(), PROCESS, DATA, VALIDATION, config, fabric=fabric, path=path, evaluate=evaluate, progress=False
    )


def share(rank, processes, port, path):
    """The same run as one of several processes, as torchrun would start it."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(processes),
        LOCAL_WORLD_SIZE=str(processes),
        GROUP_RANK="0",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        TORCHELASTIC_RUN_ID="test",
        TORCHELASTIC_USE_AGENT_STORE="False",
    )
    fabric = Fabric(accelerator="cpu", devices=processes, strategy="ddp")
    fabric.launch()
    result = run(fabric=fabric)
    if rank == 0:
        np.savez(path, **{name: value.numpy() for name, value in result.network.state_dict().items()},
                 history=[entry["validation"] for entry in result.history],
                 train=[entry["train"] for entry in result.history[1:]])  # fmt: skip
