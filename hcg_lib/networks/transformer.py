"""The bidirectional transformer of natural text: ModernBERT of Hugging Face, with weights from a seed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hcg_lib._validate import LONGEST, MOST_SYMBOLS, check_flag, check_integer, shown
from hcg_lib.networks._parts import Weights

ROTARY = {"rope_type": "default", "rope_theta": 10_000.0}  # wavelengths from 6 to 60,000 tokens
WIDEST, DEEPEST = 1 << 16, 1 << 10


class TokenTransformer(nn.Module):
    """Tokens (B, d) in, of which v means masked, logits of the clean tokens (B, d, v) out.

    Positions are rotary and every layer sees all of them. Time does not enter: what a masked token can be depends on
    the tokens that are visible, not on when the others were masked. The readout starts at zero, so that an untrained
    network knows nothing, and says so.

    Parameters
    ----------
    v
        Vocabulary; ids are 0 … v-1, and v is the mask.
    width, layers, heads
        Of the transformer; heads divide the width, and width / heads is even.
    context
        Longest d.
    half
        Matrix products in bfloat16: twice as fast and more on hardware that has it.
    seed
        Integer or numpy Generator of the weights; the global random state is not touched.

    Examples
    --------
    >>> network = TokenTransformer(v=5, width=16, layers=1, heads=2, context=8, seed=0)
    >>> x = torch.tensor([[0, 5, 2, 5]])
    >>> network(x).shape, network(x, where=x == 5).shape
    (torch.Size([1, 4, 5]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        v: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 2,
        context: int = 256,
        half: bool = False,
        seed: Any = 0,
    ):
        super().__init__()
        from transformers import ModernBertConfig, ModernBertModel

        self.v, self.mixed = check_integer("v", v, 2, limit=MOST_SYMBOLS - 1), check_flag("half", half)
        self.context = check_integer("context", context, 1, limit=LONGEST)
        width, layers = (
            check_integer("width", width, 2, limit=WIDEST),
            check_integer("layers", layers, 1, limit=DEEPEST),
        )
        if width % check_integer("heads", heads, 1, width // 2) or width // heads % 2:
            raise ValueError(f"heads must divide width = {width} into even parts, got {heads}")
        config = ModernBertConfig(
            vocab_size=1,  # embedding and readout are ours: the mask is embedded but never read out
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=self.context,
            layer_types=["full_attention"] * layers,
            rope_parameters=dict.fromkeys(("full_attention", "sliding_attention"), ROTARY),
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
            cls_token_id=None,
            sep_token_id=None,
        )
        with torch.random.fork_rng(devices=[]):
            self.body = ModernBertModel(config)
        self.body.embeddings.tok_embeddings = None  # type: ignore[assignment]
        weights = Weights(seed)
        for name, module in self.body.named_modules():
            if isinstance(module, nn.Linear):
                damped = (2 * layers) ** -0.5 if name.endswith("Wo") else 1.0
                module.weight = weights.normal(*module.weight.shape, std=damped * (3 * module.in_features) ** -0.5)
        self.embedding = weights.normal(v + 1, width)
        self.readout = weights.linear(width, v)
        nn.init.zeros_(self.readout.weight)

    def forward(self, x: Tensor, where: Tensor | None = None) -> Tensor:
        """Return logits (B, d, v), or only those of the n positions that `where` (B, d) marks: (n, v)."""
        if x.ndim != 2 or x.shape[1] > self.context or x.is_floating_point():
            raise ValueError(f"x must hold tokens (B, d) with d at most {self.context}, got {shown(x)}")
        kernel = "eager" if x.device.type == "cpu" else "sdpa"  # on CPUs plain products are the faster ones
        if self.body.config._attn_implementation != kernel:
            self.body.set_attn_implementation(kernel)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            embedded = nn.functional.embedding(x, self.embedding)
            everywhere = {"full_attention": None, "sliding_attention": None}
            found = self.body(inputs_embeds=embedded, attention_mask=everywhere).last_hidden_state
            return self.readout(found if where is None else found[where])
