"""Networks that denoise strings: evidence (B, d, v) in, cavity logits (B, d, v) out; they know tensors only."""

from .denoiser import LearnedDenoiser, cavity
from .messages import MessagePassing
from .unet import TreeUNet

__all__ = ["LearnedDenoiser", "MessagePassing", "TreeUNet", "cavity"]
